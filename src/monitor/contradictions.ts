/** What two heads of a followed log prove together: kept as evidence where it is proof, and said where it is not. */

import type { EvidenceBundle } from '../client/evidence-bundle.ts';
import type { LogSource } from '../client/source.ts';
import { compareHeads, type Comparison, findRollback, type HeadSeen } from './compare.ts';
import { UnprovenError } from './flaw.ts';
import { type FollowedHead, readRefusedHead } from './followed-head.ts';
import type { FollowedLog } from './followed-log.ts';

export interface ContradictionsOptions {
  readonly log: FollowedLog;
  readonly now: () => number;
  /** Keeps proof. It is durable when this resolves. */
  readonly convict: (log: FollowedLog, bundle: EvidenceBundle) => Promise<void>;
}

export class Contradictions {
  readonly #options: ContradictionsOptions;
  readonly #source: LogSource;

  /** `source` has the tiles of the log. */
  constructor(source: LogSource, options: ContradictionsOptions) {
    this.#options = options;
    this.#source = source;
  }

  /** Keeps a proof that a key contradicts itself, if the lines of the two heads are one. */
  async convictRollback(last: FollowedHead, head: FollowedHead): Promise<void> {
    const { log, convict } = this.#options;
    const bundle = findRollback([this.#seen(last), this.#seen(head)], log.trust);
    if (bundle) await convict(log, bundle);
  }

  /** Keeps what the true lines of a checkpoint prove that is refused: a false line beside them is not to save it. */
  async convictRefused(last: FollowedHead, note: Uint8Array): Promise<void> {
    const { log, convict } = this.#options;
    const head = readRefusedHead(note, log);
    if (!head) return;
    await this.convictRollback(last, head);
    if (!head.lines.some(({ key }) => key.isLog)) return;
    const compared = await this.#compare(last, head);
    if (compared.kind === 'evidence') await convict(log, compared.bundle);
  }

  /** Of two heads that are not of one tree: keeps the proof of that. Throws `UnprovenError` where there is none. */
  async convictFork(last: FollowedHead, head: FollowedHead): Promise<void> {
    const { log, convict } = this.#options;
    const compared = await this.#compare(last, head);
    if (compared.kind === 'evidence') return await convict(log, compared.bundle);
    const why = compared.kind === 'undecided' ? compared.why : 'the log has served two kinds of tiles';
    throw new UnprovenError(
      `the head of ${head.size} leaves does not fit the one of ${last.size} that was signed before, and it is not proven: ${why}`,
    );
  }

  #compare(last: FollowedHead, head: FollowedHead): Promise<Comparison> {
    const source = this.#source;
    return compareHeads(this.#seen(last), this.#seen(head), { a: source, b: source });
  }

  #seen({ note, size, root }: FollowedHead): HeadSeen {
    const { log, now } = this.#options;
    return { checkpoint: note, size, root, source: log.url, timeMs: now() };
  }
}
