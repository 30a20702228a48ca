/**
 * The witnesses of a served log: whom its policies name, how they are asked, and whether they agree that it may go on.
 *
 *   open and prove ─ attach ─ agree ─┬─ nobody knows of anything newer ─→ the log writes
 *                                    ├─ some do not answer ─→ it reads only, and they are asked again
 *                                    └─ one knows a larger tree, or another one ─→ refused
 */

import { NewelError } from '../errors.ts';
import { proveConsistency } from '../core/proof.ts';
import { readRoot } from '../core/tree.ts';
import { cosignatureVerifier } from '../formats/cosignature.ts';
import { parseNote } from '../formats/note.ts';
import type { Policy, PolicyWitness } from '../formats/tlog-policy.ts';
import type { Site } from '../http/app.ts';
import { systemClock } from '../log/clock.ts';
import { PUBLIC_DEADLINE_MS } from '../log/limits.ts';
import type { Asking, HeadToCosign, Log, SlotPolicy, WitnessedSlot } from '../log/log.ts';
import type { Lines } from '../telemetry/lines.ts';
import { intersectsEveryQuorum } from '../witness/agreement.ts';
import { type WitnessConflict, Witnesses } from '../witness/ask.ts';
import type { AskingSignal } from '../witness/signals-asking.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { nodeMldsa44 } from './mldsa-node.ts';
import type { Policies } from './policies.ts';
import type { ServeSettings } from './settings.ts';

export interface WitnessingParts {
  readonly origin: string;
  readonly policies: Policies;
  readonly settings: Pick<
    ServeSettings,
    'publishIntervalMs' | 'witnessIntervalMs' | 'witnessDeadlineMs' | 'publicRequestsPerDay'
  >;
  /** Names of witnesses that this process neither waits for nor asks. */
  readonly ignored: ReadonlySet<string>;
  readonly lines: Lines;
  readonly onSignal: (signal: AskingSignal) => void;
}

/** How long a witness may take at the start, and how soon those that did not answer are asked again. */
const AGREE_MS = 5000;
const AGAIN_MS = 1000;
const AGAIN_AT_MOST_MS = 30_000;
const DAY_MS = 86_400_000;
/** Of a budget, what askings may use: the rest is for those that have to be made twice. */
const BUDGET_SHARE = 0.8;

// What a witness says of its size is not signed.
const IN_CLEAR =
  'witnesses are asked over http: whoever is on the way can answer in their place, and stop this log with it';
const NO_URL = 'no URL: it hands in its lines';
const LOOPBACK = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])$/;

const ARITHMETIC = { ed25519: nodeEd25519, mldsa44: nodeMldsa44 };

export class Witnessing implements Asking {
  readonly slots: Readonly<Partial<Record<WitnessedSlot, SlotPolicy>>>;
  readonly #parts: WitnessingParts;
  /** Names of those that are asked, by the name of the link that reaches them: one link for one URL. */
  readonly #names = new Map<string, readonly string[]>();
  #log: Log | undefined;
  #witnesses: Witnesses | undefined;
  #agreed = 0;
  #isAgreed = false;
  #isAgreeing = false;
  #isStopped = false;
  #wake: (() => void) | undefined;

  constructor(parts: WitnessingParts) {
    this.#parts = parts;
    const { policies, settings } = parts;
    const { publishIntervalMs, witnessIntervalMs, witnessDeadlineMs, publicRequestsPerDay } = settings;
    // Where heads are published in the witnesses' own rhythm, each is asked for at once: a second wait of the same length
    // would hold every head as long as the slowest one took.
    const intervalMs = publishIntervalMs < witnessIntervalMs ? witnessIntervalMs : 0;
    this.slots = {
      fast: { policy: policies.fast.policy, deadlineMs: witnessDeadlineMs, intervalMs },
      ...(policies.public && {
        public: {
          policy: policies.public.policy,
          deadlineMs: PUBLIC_DEADLINE_MS,
          intervalMs: DAY_MS / (BUDGET_SHARE * publicRequestsPerDay),
        },
      }),
    };
  }

  /** Whether somebody has to agree before the log may write. */
  get isNeeded(): boolean {
    return this.#deciding !== undefined;
  }

  /** Whether those that have said so at the start are enough for no other head to have been witnessed. */
  get isAgreed(): boolean {
    return this.#isAgreed;
  }

  /** How many parties have said at the start that they know of nothing newer: one URL is one party. */
  get agreed(): number {
    return this.#agreed;
  }

  /** The log whose heads are cosigned, and the sizes that its witnesses have cosigned last. */
  attach(log: Log, sizes: ReadonlyMap<string, number>): void {
    const { origin, policies, settings, ignored, lines } = this.#parts;
    const fast = new Set(policies.fast.policy.witnesses.map(({ name }) => name));
    const byUrl = new Map<string, PolicyWitness[]>();
    for (const witness of policies.witnesses) {
      if (witness.url === undefined || ignored.has(witness.name)) continue;
      byUrl.set(witness.url, [...(byUrl.get(witness.url) ?? []), witness]);
    }
    const witnesses = [...byUrl].map(([url, members]) => {
      const name = members[0]!.name;
      this.#names.set(
        name,
        members.map((member) => member.name),
      );
      return {
        name,
        url,
        verifiers: members.map(({ vkey }) => cosignatureVerifier(vkey, ARITHMETIC)),
        ...(!members.some((member) => fast.has(member.name)) && {
          requestsPerDay: settings.publicRequestsPerDay,
        }),
      };
    });
    const inClear = witnesses.filter(({ url }) => isInClear(url)).map(({ name }) => name);
    if (inClear.length > 0) lines.say('warn', IN_CLEAR, { names: inClear });
    this.#log = log;
    this.#witnesses = new Witnesses({
      origin,
      witnesses,
      sizes,
      clock: systemClock,
      proveConsistency: (old, size) => proveConsistency(old, size, log.hashes(size)),
      rootOf: (size) => readRoot(size, log.hashes(size)),
      recentSizes: (since, limit) => log.recentSizes(since, limit),
      onSignal: this.#parts.onSignal,
    });
  }

  async ask(slot: WitnessedSlot, head: HeadToCosign, call: Parameters<Asking['ask']>[2]): Promise<void> {
    const log = this.#log!;
    const wanted = new Set(this.slots[slot]!.policy.witnesses.map(({ name }) => name));
    const names = [...this.#names].filter(([, members]) => members.some((name) => wanted.has(name)));
    await this.#witnesses!.ask(
      names.map(([name]) => name),
      head,
      {
        ...call,
        largestSize: () => log.revealed.size,
        onConflict: (conflict) => log.halt(conflictError(conflict)),
      },
    );
  }

  sizes(): ReadonlyMap<string, number> {
    return this.#witnesses?.sizes() ?? new Map();
  }

  reachable(): ReadonlySet<string> {
    const states = this.#witnesses?.states ?? [];
    // Those without a URL come by themselves.
    const own = this.#withoutUrl;
    const up = states.filter(({ state }) => state === 'ok' || state === 'unknown' || state === 'failing');
    return new Set([
      ...own.map(({ name }) => name),
      ...up.flatMap(({ name }) => this.#names.get(name) ?? []),
    ]);
  }

  /** What is known of each, for `/readyz`. */
  states(): ReturnType<NonNullable<Site['witnesses']>> {
    const states = this.#witnesses?.states ?? [];
    return [
      ...states.map(({ name, state, size, why }) => ({
        name,
        state,
        size,
        ...(why !== undefined && { why }),
      })),
      ...this.#withoutUrl.map(({ name }) => ({ name, state: 'unknown', size: 0, why: NO_URL })),
    ];
  }

  /**
   * Asks all of them for the newest head: whether those that agree are enough for nobody to have met the policy with
   * another. With an empty tree nobody is waited for again: whoever knows of a larger one has had the time to say it.
   * Rejects with `log_refused` where one of them contradicts; one that does so later stops the log.
   */
  async tryAgree(): Promise<boolean> {
    const { lines, ignored } = this.#parts;
    const log = this.#log!;
    const head = headOf(log);
    const { agreed, conflicts, silent } = await this.#witnesses!.agree(head, {
      timeoutMs: AGREE_MS,
      ignore: new Set(),
      largestSize: () => log.revealed.size,
      onLateConflict: (late) => log.halt(conflictError(late)),
    });
    const [conflict] = conflicts;
    if (conflict) throw conflictError(conflict);
    if (this.#isStopped) return false;
    const names = new Set([...ignored, ...agreed.flatMap((name) => this.#names.get(name) ?? [])]);
    const policy = this.#deciding;
    this.#agreed = agreed.length;
    this.#isAgreed = !policy || intersectsEveryQuorum(policy, names);
    if (this.#isAgreed) {
      lines.say('info', 'the witnesses know of no newer head', { size: head.size, agreed });
      return true;
    }
    if (head.size === 0) return true;
    const withoutUrl = (policy?.witnesses ?? [])
      .filter(({ url }) => url === undefined)
      .map(({ name }) => `${name}: no URL`);
    lines.say('warn', 'reading only: too few witnesses have said that they know of no newer head', {
      size: head.size,
      agreed,
      silent: [...silent.map(({ name, why }) => `${name}: ${why}`), ...withoutUrl],
    });
    return false;
  }

  /** Asks again until they agree. Resolves to `false` where that is stopped. */
  async agreeLater(): Promise<boolean> {
    this.#isAgreeing = true;
    try {
      for (let pauseMs = AGAIN_MS; ; pauseMs = Math.min(2 * pauseMs, AGAIN_AT_MOST_MS)) {
        await this.#pause(pauseMs);
        if (this.#isStopped) return false;
        if (await this.tryAgree()) return !this.#isStopped;
      }
    } finally {
      this.#isAgreeing = false;
    }
  }

  /** Calls off what is under way of it. */
  stopAgreeing(): void {
    this.#isStopped = true;
    this.#wake?.();
    if (this.#isAgreeing) void this.close();
  }

  async close(): Promise<void> {
    await this.#witnesses?.close();
  }

  /** The policy whose witnesses have to agree: the one that receipts wait for, or else the public one. */
  get #deciding(): Policy | undefined {
    const { fast, public: open } = this.#parts.policies;
    return [fast.policy, open?.policy].find((policy) => policy && policy.quorum !== 'none');
  }

  get #withoutUrl(): readonly PolicyWitness[] {
    const { policies, ignored } = this.#parts;
    return policies.witnesses.filter(({ url, name }) => url === undefined && !ignored.has(name));
  }

  async #pause(durationMs: number): Promise<void> {
    if (this.#isStopped) return;
    await new Promise<void>((resolve) => {
      const cancel = systemClock.after(durationMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** Whether what is sent there crosses a network, and nothing says who answers. */
function isInClear(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'http:' && !LOOPBACK.test(url.hostname);
}

function headOf({ revealed }: Log): HeadToCosign {
  const { size, root, checkpoint } = revealed;
  return { size, root, checkpoint, text: parseNote(checkpoint).text };
}

function conflictError({ message }: WitnessConflict): NewelError {
  return new NewelError('log_refused', message);
}
