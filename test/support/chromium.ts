/**
 * A headless Chromium, spoken to over a pipe in the DevTools protocol: it starts empty, in a folder of its own, asks
 * nobody on the network, and ends with the test.
 *
 *   fd 3, 4    {"id":1,"method":"Page.navigate","params":{…},"sessionId":"…"} NUL
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const PROGRAM = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);

/** For the `skip` option of a test: why it cannot run here. Never a reason on CI. */
export function chromiumAbsent(): string | false {
  return PROGRAM || process.env['CI'] ? false : 'Chromium is not installed';
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-pipe',
];

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
  readonly sessionId?: string;
}

type Listener = (message: Message) => void;

export class Chromium {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #answers = new Map<
    number,
    { resolve: (message: Message) => void; reject: (error: Error) => void }
  >();
  readonly #listeners = new Set<Listener>();
  #sent = 0;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    let rest = '';
    const output = child.stdio[4] as Readable;
    output.setEncoding('utf8').on('data', (chunk: string) => {
      const messages = (rest + chunk).split('\0');
      rest = messages.pop() ?? '';
      for (const message of messages) this.#receive(JSON.parse(message) as Message);
    });
    child.once('close', (code) => {
      for (const { reject } of this.#answers.values()) reject(new Error(`Chromium ended with ${code}`));
    });
  }

  static async open(): Promise<Chromium> {
    assert.ok(PROGRAM, 'Chromium is installed on CI');
    const profile = await mkdtemp(join(tmpdir(), 'newel-chromium-'));
    const child = spawn(PROGRAM, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    return new Chromium(child, profile);
  }

  /** A tab that has loaded `url`. */
  async openPage(url: string): Promise<ChromiumPage> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new ChromiumPage(this, String(sessionId));
    await page.load(url);
    return page;
  }

  async send(
    method: string,
    params: Record<string, unknown> = {},
    sessionId?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#sent;
    const answer = new Promise<Message>((resolve, reject) => this.#answers.set(id, { resolve, reject }));
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answer;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  listen(listener: Listener): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGTERM');
    await closed;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  #receive(message: Message): void {
    const waiting = message.id === undefined ? undefined : this.#answers.get(message.id);
    if (waiting) {
      this.#answers.delete(message.id!);
      waiting.resolve(message);
    } else {
      for (const listener of this.#listeners) listener(message);
    }
  }
}

/** What a page complains of: exceptions, errors and warnings on the console, what its policy forbids. */
const COMPLAINTS: readonly string[] = [
  'Runtime.exceptionThrown',
  'Runtime.consoleAPICalled',
  'Log.entryAdded',
];

export class ChromiumPage {
  readonly complaints: string[] = [];
  readonly #browser: Chromium;
  readonly #session: string;
  #loaded: (() => void) | undefined;

  constructor(browser: Chromium, session: string) {
    this.#browser = browser;
    this.#session = session;
    browser.listen(({ method = '', params, sessionId }) => {
      if (sessionId !== session) return;
      if (method === 'Page.loadEventFired') this.#loaded?.();
      if (COMPLAINTS.includes(method)) this.complaints.push(JSON.stringify(params));
    });
  }

  async load(url: string): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log', 'DOM']) await this.#send(`${domain}.enable`);
    const loaded = new Promise<void>((resolve) => (this.#loaded = resolve));
    await this.#send('Page.navigate', { url });
    await loaded;
  }

  /** The value of an expression, or of the promise that it is. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value?: unknown }).value;
  }

  /** Waits until an expression is true; what throws, for what it reads is not there yet, is not true. */
  async until(expression: string): Promise<void> {
    const endMs = performance.now() + 30_000;
    const asked = `(() => { try { return Boolean(${expression}); } catch (error) { return String(error); } })()`;
    for (let came: unknown; (came = await this.evaluate(asked)) !== true;) {
      assert.ok(performance.now() < endMs, `${expression} does not come true: ${String(came)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Chooses files in an input, as a user does. */
  async chooseFiles(selector: string, files: readonly string[]): Promise<void> {
    const { root } = await this.#send('DOM.getDocument');
    const { nodeId } = await this.#send('DOM.querySelector', {
      nodeId: (root as { nodeId: number }).nodeId,
      selector,
    });
    await this.#send('DOM.setFileInputFiles', { nodeId, files });
  }

  /** Drops a file on the page. */
  async dropFile(name: string, text: string): Promise<void> {
    await this.evaluate(`{
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([${JSON.stringify(text)}], ${JSON.stringify(name)}));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    }`);
  }

  #send(method: string, params?: Record<string, unknown>): Promise<Readonly<Record<string, unknown>>> {
    return this.#browser.send(method, params, this.#session);
  }
}
