/**
 * Witnesses without a network, for tests of a log that is witnessed: three of them, of which a policy wants two. They
 * answer at once, unless they are down, or held until `release()`.
 */

import { type Cosigner, cosignatureVerifier, ed25519Cosigner } from '../../src/formats/cosignature.ts';
import type { Verifier } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parsePolicy, type Policy } from '../../src/formats/tlog-policy.ts';
import { formatVkey } from '../../src/formats/vkey.ts';
import type { Asking, HeadToCosign } from '../../src/log/log.ts';

export const COSIGNERS: readonly Cosigner[] = [1, 2, 3].map((n) =>
  ed25519Cosigner(`w${n}.example`, new Uint8Array(32).fill(n)),
);
const NAMES = ['w1', 'w2', 'w3'];

export const WITNESS_VERIFIERS: readonly Verifier[] = COSIGNERS.map(({ vkey }) => cosignatureVerifier(vkey));

/** The text of a policy whose quorum is `two` of them, or `none`; with the line of a log where its vkey is given. */
export function policyTextOf(quorum: 'two' | 'none', logVkey?: string): string {
  const log = logVkey === undefined ? '' : `log ${logVkey}\n`;
  const witnesses = COSIGNERS.map(({ vkey }, i) => `witness w${i + 1} ${formatVkey(vkey)}\n`).join('');
  return `${log}${witnesses}group two 2 w1 w2 w3\nquorum ${quorum}\n`;
}

export function policyOf(quorum: 'two' | 'none'): Policy {
  return parsePolicy(encodeUtf8(policyTextOf(quorum)));
}

export class FakeAsking implements Asking {
  readonly down: Set<string> = new Set();
  readonly held: Set<string> = new Set();
  /** Sizes that were asked for. */
  readonly asked: number[] = [];
  /** When the first of them says that it signs; the others a second later each. */
  timeS = 1_795_176_000;
  readonly #waiting: (() => void)[] = [];
  readonly #sizes = new Map<string, number>();

  async ask(_: string, head: HeadToCosign, call: Parameters<Asking['ask']>[2]): Promise<void> {
    this.asked.push(head.size);
    for (const [i, cosigner] of COSIGNERS.entries()) {
      const name = NAMES[i]!;
      if (this.down.has(name)) continue;
      const line = await cosigner.cosign(head.text, this.timeS + i);
      const give = (): void => {
        this.#sizes.set(name, head.size);
        call.onLines(name, [line]);
      };
      if (this.held.has(name)) this.#waiting.push(give);
      else give();
      if (call.enough()) return;
    }
  }

  /** Those that were held answer. */
  release(): void {
    for (const give of this.#waiting.splice(0)) give();
  }

  sizes(): ReadonlyMap<string, number> {
    return this.#sizes;
  }

  states(): { name: string; state: string; size: number }[] {
    return NAMES.map((name) => ({
      name,
      state: this.down.has(name) ? 'open' : 'ok',
      size: this.#sizes.get(name) ?? 0,
    }));
  }

  reachable(): ReadonlySet<string> {
    return new Set(NAMES.filter((name) => !this.down.has(name)));
  }
}
