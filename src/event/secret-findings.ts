/**
 * What a walk through an event has found, and where it is: findings with their pointers, in the order of the event, and what
 * of them cannot be taken away.
 */

import type { SecretFinding } from '../errors.ts';
import type { SecretRule } from './secret-rules.ts';

/** Findings that are reported at once. */
export const MAX_FINDINGS = 20;

/** Characters of a pointer: names may be as long as the event. */
const MAX_POINTER = 1024;

export class Findings {
  readonly found: SecretFinding[] = [];
  readonly left: SecretFinding[] = [];
  readonly counts: Map<SecretRule, number> = new Map();
  readonly #max: number;
  readonly #path: (string | number)[] = [];
  /** From which index of the path on nothing is repeated. */
  #hiddenFrom = Infinity;

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether nothing more is to be looked for. */
  get isFull(): boolean {
    return this.found.length >= this.#max;
  }

  /** How far in the walk is. */
  get depth(): number {
    return this.#path.length;
  }

  /** Does `walk` at a place further in. Where `isHidden`, no pointer goes as far. */
  at<T>(token: string | number, isHidden: boolean, walk: () => T): T {
    const before = this.#hiddenFrom;
    if (isHidden && before === Infinity) this.#hiddenFrom = this.#path.length;
    this.#path.push(token);
    const walked = walk();
    this.#path.pop();
    this.#hiddenFrom = before;
    return walked;
  }

  /** The name of the member that the walk is in, or `up` members around it; none is empty. */
  nameAt(up: number): string {
    let left = up;
    for (let i = this.#path.length - 1; i >= 0; i--) {
      const token = this.#path[i]!;
      if (typeof token === 'string' && left-- === 0) return token;
    }
    return '';
  }

  report(rule: SecretRule, count: number): void {
    this.counts.set(rule, (this.counts.get(rule) ?? 0) + count);
    this.#find(rule);
  }

  /** Of what cannot be taken away. */
  reportLeft(rule: SecretRule): void {
    if (this.left.length < MAX_FINDINGS) this.left.push({ pointer: this.#pointer(), rule });
    this.#find(rule);
  }

  #find(rule: SecretRule): void {
    // All that a redaction asks for is counted.
    if (this.found.length < Math.min(this.#max, MAX_FINDINGS)) {
      this.found.push({ pointer: this.#pointer(), rule });
    }
  }

  /** RFC 6901, up to the first name that is not repeated, or that would make it too long. */
  #pointer(): string {
    let pointer = '';
    for (const token of this.#path.slice(0, Math.min(this.#hiddenFrom, this.#path.length))) {
      const escaped = String(token).replaceAll('~', '~0').replaceAll('/', '~1');
      if (pointer.length + escaped.length >= MAX_POINTER) return pointer;
      pointer += `/${escaped}`;
    }
    return pointer;
  }
}
