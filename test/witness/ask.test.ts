import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, describe, test } from 'node:test';
import { openNote } from '../../src/formats/note.ts';
import {
  type AskOptions,
  type WitnessConflict,
  Witnesses,
  type WitnessesParts,
} from '../../src/witness/ask.ts';
import type { AskingSignal } from '../../src/witness/signals-asking.ts';
import {
  answers,
  answersLate,
  breaks,
  breaksAfterwards,
  FAKE_ORIGIN,
  FakeWitness,
  GrowingTree,
  starting,
} from '../support/fake-witness.ts';
import { until } from '../support/until.ts';

/** A log and witnesses that it asks over loopback sockets. */
class Scene {
  readonly tree = new GrowingTree(10);
  readonly signals: AskingSignal[] = [];
  readonly lines = new Map<string, number[]>();
  readonly conflicts: WitnessConflict[] = [];
  readonly proofsMade: string[] = [];
  readonly fakes: readonly FakeWitness[];
  readonly witnesses: Witnesses;

  private constructor(fakes: readonly FakeWitness[], parts: Partial<WitnessesParts>) {
    this.fakes = fakes;
    this.witnesses = new Witnesses({
      origin: FAKE_ORIGIN,
      witnesses: fakes.map(({ asked }) => asked),
      proveConsistency: (old, size) => {
        this.proofsMade.push(`${old}:${size}`);
        return this.tree.proofs(old, size);
      },
      rootOf: this.tree.rootOf,
      sizes: new Map(),
      onSignal: (signal) => this.signals.push(signal),
      random: () => 0,
      ...parts,
    });
    after(async () => {
      await this.witnesses.close();
      await Promise.all(fakes.map((fake) => fake.close()));
    });
  }

  static async open(
    count = 1,
    parts: Partial<WitnessesParts> = {},
    raw?: Parameters<FakeWitness['listen']>[0],
  ) {
    const fakes = Array.from({ length: count }, (_, i) => new FakeWitness(`w${i}.example`, i + 2));
    await Promise.all(fakes.map((fake) => fake.listen(raw)));
    return new Scene(fakes, parts);
  }

  /** Asks all for the newest head; resolves to the names that have given verified lines for it until then. */
  async ask(options: Partial<AskOptions> & { need?: number } = {}): Promise<string[]> {
    const head = this.tree.head();
    const names: string[] = [];
    const { need = this.fakes.length } = options;
    await this.witnesses.ask(
      this.fakes.map(({ name }) => name),
      head,
      {
        deadlineMs: 2000,
        enough: () => names.length >= need,
        largestSize: () => this.tree.size,
        onConflict: (conflict) => this.conflicts.push(conflict),
        onLines: (name, lines) => {
          const fake = this.fakes.find((one) => one.name === name)!;
          assert.equal(lines.length, 1);
          assert.deepEqual([lines[0]!.name, lines[0]!.keyId], [name, fake.verifier.keyId]);
          assert.ok(fake.verifier.verify(Buffer.from(head.text), lines[0]!.signature));
          names.push(name);
          this.lines.set(name, [...(this.lines.get(name) ?? []), head.size]);
        },
        ...options,
      },
    );
    return names.toSorted();
  }

  stateOf(name: string) {
    return this.witnesses.states.find((state) => state.name === name)!;
  }

  events(): string[] {
    return this.signals.map(({ event }) => event);
  }
}

describe('asking witnesses', () => {
  test('all at once, over connections that are kept, with one proof for those that stand at one size', async () => {
    const scene = await Scene.open(3);
    for (let round = 0; round < 20; round++) {
      scene.tree.grow(3);
      assert.equal((await scene.ask()).length, 3);
    }
    for (const fake of scene.fakes) {
      assert.equal(fake.requests.length, 20);
      // `fetch` may open a second one where a request follows so soon that the first is not free yet, and never a third.
      assert.ok(fake.sockets.size <= 2, `${fake.sockets.size} connections for 20 requests`);
    }
    assert.equal(scene.proofsMade.length, 19, 'the first needs none');
    assert.deepEqual([...scene.witnesses.sizes().values()], [70, 70, 70]);
    assert.ok(
      scene.witnesses.states.every(({ state, lastAnswerTimeMs }) => state === 'ok' && lastAnswerTimeMs),
    );
  });

  test('what is sent is the head as it is, with the log’s own lines alone', async () => {
    const scene = await Scene.open();
    await scene.ask();
    assert.equal(
      scene.fakes[0]!.requests[0]!.checkpoint,
      Buffer.from(scene.tree.head().checkpoint).toString(),
    );
  });

  test('it is over when there is enough; the slow one’s lines come late', async () => {
    const scene = await Scene.open(3);
    scene.fakes[2]!.next.push(answersLate(150));
    assert.deepEqual(await scene.ask({ need: 2 }), ['w0.example', 'w1.example']);
    assert.equal(scene.lines.has('w2.example'), false);
    await until(() => scene.lines.has('w2.example'));
    assert.equal(scene.events().filter((event) => event === 'late').length, 1);
  });

  test('it is over at the deadline; what comes then is handed on', async () => {
    const scene = await Scene.open(1);
    scene.fakes[0]!.next.push(answersLate(150));
    assert.deepEqual(await scene.ask({ deadlineMs: 30 }), []);
    await until(() => scene.lines.has('w0.example'));
  });

  test('it is over at once when nobody is left who may answer soon', async () => {
    const scene = await Scene.open(2);
    await scene.fakes[0]!.close();
    const startedMs = performance.now();
    assert.deepEqual(await scene.ask({ deadlineMs: 5000 }), ['w1.example']);
    assert.ok(performance.now() - startedMs < 2500);
    const { state, why } = scene.stateOf('w0.example');
    assert.deepEqual([state, why], ['failing', 'refuses connections']);
  });

  test('a witness that has moved on is asked again at once from the size it says', async () => {
    const scene = await Scene.open();
    const [fake] = scene.fakes;
    fake!.recorded = scene.tree.head(4);
    assert.equal((await scene.ask()).length, 1);
    assert.deepEqual(
      fake!.requests.map(({ old }) => old),
      [0, 4],
    );
    assert.equal(scene.conflicts.length, 0);
  });

  test('an answer that was lost: the head is recorded already, and cosigned again', async () => {
    const scene = await Scene.open(1, { requestTimeoutMs: 60 });
    const [fake] = scene.fakes;
    fake!.next.push(answersLate(500));
    assert.deepEqual(await scene.ask(), []);
    assert.deepEqual(
      [scene.stateOf(fake!.name).state, scene.stateOf(fake!.name).why],
      ['failing', 'does not answer within 60 ms'],
    );
    await until(() => scene.lines.has(fake!.name));
    assert.deepEqual(
      fake!.requests.map(({ old }) => old),
      [0, 0, 10],
    );
    assert.deepEqual(scene.events().slice(-2), ['answered', 'late']);
    assert.equal(scene.stateOf(fake!.name).state, 'ok');
    assert.equal(scene.conflicts.length, 0);
  });

  test('a kept connection that breaks is made again at once, whether or not the head was recorded', async () => {
    for (const behaviour of [breaks, breaksAfterwards]) {
      const scene = await Scene.open();
      assert.equal((await scene.ask()).length, 1);
      scene.tree.grow(1);
      scene.fakes[0]!.next.push(behaviour);
      assert.equal((await scene.ask()).length, 1);
      assert.equal(scene.events().includes('failed'), false);
    }
  });

  test('lines of two known keys both count, and those of others do not', async () => {
    const first = new FakeWitness('w.example', 2);
    const second = new FakeWitness('w.example', 3);
    const stranger = new FakeWitness('s.example', 4);
    await first.listen();
    after(() => first.close());
    const tree = new GrowingTree(5);
    const { text } = tree.head();
    const line = first.lineOver(text);
    const body = stranger.lineOver(text) + line + line + second.lineOver(text) + first.lineOver(text);
    first.next.push(answers({ status: 200, body }));
    const witnesses = new Witnesses({
      origin: FAKE_ORIGIN,
      witnesses: [{ ...first.asked, verifiers: [first.verifier, second.verifier] }],
      proveConsistency: tree.proofs,
      rootOf: tree.rootOf,
      sizes: new Map(),
    });
    const found: number[] = [];
    await witnesses.ask(['w.example'], tree.head(), {
      deadlineMs: 5000,
      enough: () => false,
      largestSize: () => 5,
      onConflict: assert.fail,
      onLines: (_, lines) => {
        found.push(...lines.map(({ keyId }) => keyId));
        const note = Buffer.concat([Buffer.from(`${text}\n`), Buffer.from(body)]);
        assert.deepEqual(openNote(note, [first.verifier, second.verifier]).verified, lines);
      },
    });
    assert.deepEqual(found, [first.verifier.keyId, second.verifier.keyId]);
    await witnesses.close();
  });

  test('a tree without leaves is brought to nobody', async () => {
    const scene = await Scene.open();
    await scene.witnesses.ask(['w0.example'], new GrowingTree(0).head(), {
      deadlineMs: 5000,
      enough: () => false,
      largestSize: () => 0,
      onLines: assert.fail,
      onConflict: assert.fail,
    });
    assert.equal(scene.fakes[0]!.requests.length, 0);
  });

  test('a failure of ours rejects, and is nobody’s conflict', async () => {
    const error = new Error('disk');
    const scene = await Scene.open(1, { proveConsistency: () => Promise.reject(error) });
    scene.fakes[0]!.recorded = scene.tree.head(4);
    await assert.rejects(scene.ask(), error);
    assert.equal(scene.conflicts.length, 0);
  });

  test('what cannot be asked is a wrong argument', async () => {
    const scene = await Scene.open();
    assert.throws(() => void scene.witnesses.ask(['other.example'], scene.tree.head(), never), RangeError);
    const huge = { ...scene.tree.head(), checkpoint: new Uint8Array(16 * 1024 + 1) };
    assert.throws(() => void scene.witnesses.ask(['w0.example'], huge, never), RangeError);
    const asked = scene.fakes[0]!.asked;
    const parts = {
      origin: FAKE_ORIGIN,
      proveConsistency: scene.tree.proofs,
      rootOf: scene.tree.rootOf,
      sizes: new Map(),
    };
    assert.throws(() => new Witnesses({ ...parts, witnesses: [asked, asked] }), RangeError);
    assert.throws(() => new Witnesses({ ...parts, witnesses: [{ ...asked, verifiers: [] }] }), RangeError);
  });
});

const never: AskOptions = {
  deadlineMs: 10,
  enough: () => false,
  largestSize: () => 100,
  onLines: assert.fail,
  onConflict: assert.fail,
};

describe('no answer, and never agreement', () => {
  const { text } = new GrowingTree(10).head();
  const fake = new FakeWitness('w0.example', 2);
  const other = new FakeWitness('other.example', 9);
  const line = fake.lineOver(text);
  const whole =
    (status: number, body = '', headers: Record<string, string> = {}) =>
    (res: ServerResponse) =>
      void res.writeHead(status, headers).end(body);
  const socket = (bytes: string) => (res: ServerResponse) => void res.socket!.end(bytes);

  const CASES: readonly [what: string, why: RegExp, answer: (res: ServerResponse) => void][] = [
    ['400', /^answers 400$/, whole(400, line)],
    ['403', /^answers 403$/, whole(403, line)],
    ['404', /^answers 404$/, whole(404, line)],
    ['429', /^answers 429$/, whole(429, line)],
    ['500', /^answers 500$/, whole(500, line)],
    ['503', /^answers 503$/, whole(503, line)],
    ['201 with the true line', /^answers 201$/, whole(201, line)],
    ['204', /^answers 204$/, whole(204)],
    ['a redirect', /^answers 307$/, whole(307, '', { Location: 'http://127.0.0.1:1/' })],
    ['200 and nothing', /without valid signature lines$/, whole(200)],
    ['200 and a page', /without valid signature lines$/, whole(200, '<html>\n')],
    ['200 and no newline', /without valid signature lines$/, whole(200, line.slice(0, -1))],
    ['200 and CRLF', /without valid signature lines$/, whole(200, line.replace('\n', '\r\n'))],
    ['200 and a blank line more', /without valid signature lines$/, whole(200, `${line}\n`)],
    ['200 and a note', /without valid signature lines$/, whole(200, `${text}\n${line}`)],
    ['200 and bytes', /without valid signature lines$/, whole(200, '\xff\xfe')],
    ['a line by another key', /without a signature by a key that is known/, whole(200, other.lineOver(text))],
    [
      'a line in its name by another key',
      /without a signature by a key that is known/,
      whole(200, other.lineOver(text, { name: 'w0.example' })),
    ],
    [
      'another’s signature under its key id',
      /false signature by its own key/,
      whole(200, other.lineOver(text, { name: 'w0.example', keyId: fake.verifier.keyId })),
    ],
    ['its line over another text', /false signature by its own key/, whole(200, fake.lineOver(`${text}x\n`))],
    [
      'its true line, and a false one',
      /false signature by its own key/,
      whole(200, line + fake.lineOver(`${text}x\n`)),
    ],
    ['a body of 17 KiB', /no whole answer/, whole(200, line + '— x AAAAAAAA\n'.repeat(1300))],
    [
      'a body shorter than it says',
      /no whole answer/,
      socket(`HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n${line}`),
    ],
    [
      'a status that is none',
      /no whole answer|^answers/,
      socket('HTTP/1.1 999 Fine\r\nContent-Length: 0\r\n\r\n'),
    ],
    ['no HTTP', /no whole answer/, socket('hello\n')],
    ['nothing at all', /no whole answer/, socket('')],
    ['no end', /does not answer within 150 ms/, (res) => void res.writeHead(200).write(line)],
    [
      'a byte now and then',
      /does not answer within 150 ms/,
      (res) => {
        res.writeHead(200, { 'Content-Length': String(line.length) });
        const timer = setInterval(() => res.write('x'), 20);
        res.on('close', () => clearInterval(timer));
      },
    ],
  ];
  for (const [what, why, answer] of CASES) {
    test(what, async () => {
      const scene = await Scene.open(1, { requestTimeoutMs: 150 }, (_req, res) => {
        answer(res);
        return true;
      });
      assert.deepEqual(await scene.ask(), []);
      const { state, why: told } = scene.stateOf('w0.example');
      assert.equal(state, 'failing');
      assert.match(told ?? '', why);
      assert.equal(scene.conflicts.length, 0);
      const found = await scene.witnesses.agree(scene.tree.head(), starting(scene.tree, 1000));
      assert.deepEqual(found.agreed, []);
      assert.deepEqual(found.conflicts, []);
      assert.deepEqual(
        found.silent.map(({ name }) => name),
        ['w0.example'],
      );
    });
  }
});

/** Waits for what a real socket brings; at most 3 s. */
