/**
 * Tells who calls, while `tokens.json` may change: the file is looked at every second and read again when it is
 * another one. A file that cannot be read leaves the last good list in force, and says so.
 */

import { type FileHandle, open, stat } from 'node:fs/promises';
import { NewelError } from '../errors.ts';
import type { Principal } from './principal.ts';
import type { TokensSignal } from './signals.ts';
import { hashToken, parseBearer } from './token.ts';
import { MAX_TOKENS_CHARS, parseTokenList, type TokenRecord } from './token-list.ts';

export interface TokensOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** How often the file is looked at. */
  readonly pollMs?: number;
  readonly onSignal?: (signal: TokensSignal) => void;
}

/** Told of the list: as it is, and whenever it is another one. */
export type TokensListener = (tokens: readonly TokenRecord[]) => void;

export interface Tokens {
  /**
   * The bearer of the token in an Authorization header. Throws `unauthenticated` where there is none, or none that is
   * known and in its time. A token that was revoked is refused at the latest `pollMs` after the file was replaced.
   */
  authenticate(authorization: string | undefined): Principal;
  /** Tells the list now, and each one that is read from now on. */
  watch(listener: TokensListener): void;
  /** Looks at the file no more. */
  close(): void;
}

interface Bearer {
  readonly principal: Principal;
  /** For ever, where infinite. */
  readonly expiresMs: number;
}

const POLL_MS = 1000;
/** Callers whose header needs no hashing. */
const MAX_CACHED = 1024;

/** Reads the list and keeps it up to date. Throws `log_refused`, saying what is wrong with the file. */
export async function openTokens(path: string, options: TokensOptions = {}): Promise<Tokens> {
  const { now = Date.now, pollMs = POLL_MS, onSignal = () => {} } = options;
  const tokens = new WatchedTokens(path, now, onSignal);
  await tokens.open();
  const timer = setInterval(() => void tokens.refresh(), pollMs);
  timer.unref();
  return {
    authenticate: (authorization) => tokens.authenticate(authorization),
    watch: (listener) => tokens.watch(listener),
    close: () => clearInterval(timer),
  };
}

class WatchedTokens {
  readonly #path: string;
  readonly #now: () => number;
  readonly #onSignal: (signal: TokensSignal) => void;
  #byHash = new Map<string, Bearer>();
  /** By the whole header, for headers that were accepted; so strangers cannot fill it. */
  readonly #cache = new Map<string, Bearer>();
  #list: readonly TokenRecord[] = [];
  #listener: TokensListener = () => {};
  #version = '';
  #refreshing = false;

  constructor(path: string, now: () => number, onSignal: (signal: TokensSignal) => void) {
    this.#path = path;
    this.#now = now;
    this.#onSignal = onSignal;
  }

  async open(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      const what = error instanceof NewelError ? error.message : 'it cannot be read';
      const advice = 'put it right, or put it away and make tokens anew with: newel token create';
      throw new NewelError('log_refused', `the token list ${this.#path}: ${what}; ${advice}`, {
        cause: error,
      });
    }
  }

  authenticate(authorization: string | undefined): Principal {
    if (authorization === undefined) throw unauthenticated('a bearer token is needed');
    const { principal, expiresMs } = this.#cache.get(authorization) ?? this.#find(authorization);
    if (this.#now() >= expiresMs) throw unauthenticated('the token has expired');
    return principal;
  }

  watch(listener: TokensListener): void {
    this.#listener = listener;
    listener(this.#list);
  }

  #find(authorization: string): Bearer {
    const presented = parseBearer(authorization);
    if (presented === undefined) throw unauthenticated('the Authorization header is not Bearer and a token');
    const bearer = this.#byHash.get(hashToken(presented));
    if (!bearer) throw unauthenticated('the token is not known here');
    if (this.#cache.size >= MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(authorization, bearer);
    return bearer;
  }

  /** Reads the file again if it is not the one that was read. Never throws. */
  async refresh(): Promise<void> {
    if (this.#refreshing) return;
    this.#refreshing = true;
    try {
      const version = versionOf(await stat(this.#path, { bigint: true }));
      if (version !== this.#version) await this.#read();
    } catch (error) {
      this.#unreadable(error);
    } finally {
      this.#refreshing = false;
    }
  }

  async #read(): Promise<void> {
    const file = await open(this.#path, 'r');
    let text: string;
    try {
      text = await this.#readText(file);
    } finally {
      await file.close();
    }
    const tokens = parseTokenList(text);
    this.#byHash = new Map(
      tokens.map(({ hash, name, role, sources, rate, expiresMs = Number.POSITIVE_INFINITY }) => [
        hash,
        { principal: { name, role, sources, ...(rate === undefined ? {} : { rate }) }, expiresMs },
      ]),
    );
    this.#cache.clear();
    this.#onSignal({ event: 'tokens_read', tokens: tokens.length });
    this.#list = tokens;
    this.#listener(tokens);
  }

  async #readText(file: FileHandle): Promise<string> {
    const found = await file.stat({ bigint: true });
    // Before parsing, so that a broken file is reported once and not every second.
    this.#version = versionOf(found);
    if (found.size > MAX_TOKENS_CHARS)
      throw new NewelError('too_large', `longer than ${MAX_TOKENS_CHARS} bytes`);
    return file.readFile('utf8');
  }

  #unreadable(error: unknown): void {
    const gone = error instanceof Error && 'syscall' in error;
    if (gone && this.#version === '') return;
    if (gone) this.#version = '';
    this.#onSignal({ event: 'tokens_unreadable', error });
  }
}

/** Another file by rename has another inode; one edited in place another time or size. */
function versionOf({ ino, size, mtimeNs }: { ino: bigint; size: bigint; mtimeNs: bigint }): string {
  return `${ino} ${size} ${mtimeNs}`;
}

function unauthenticated(message: string): NewelError {
  return new NewelError('unauthenticated', message);
}
