/**
 * Alerts: what a monitor has found wrong and cannot prove to anybody else. One stands from when it is found until the same
 * check finds it gone, and is told twice: then and then. What can be proven is evidence, and not here.
 */

/** Stable: what a rule or a webhook may switch on. */
export type AlertCode =
  /** The log, a witness or a peer does not answer, or lacks a file that it must have. */
  | 'unreadable'
  /** What is served as a checkpoint is none, or not by the keys that are trusted. */
  | 'checkpoint_invalid'
  /** The log serves a head that is smaller than one that it served before. */
  | 'shrunk'
  /** A tile is not what the signed root says it is. */
  | 'tile_changed'
  /** An entry does not hash to its tile. */
  | 'entry_changed'
  /** An entry of a log of events is no leaf. */
  | 'leaf_malformed'
  /** Nothing new has been signed for too long. */
  | 'stale'
  /** A line is signed for a time that has not come yet. */
  | 'clock'
  /** The witness lines that the policy asks for are not there. */
  | 'quorum_missing'
  /** Somebody else was shown a larger head than the log serves here, for too long. */
  | 'withheld'
  /** A witness has shown a head of the log, and says now that it has none. */
  | 'forgotten'
  /** What a peer has answered is by no key that is trusted, or it calls evidence what is none. */
  | 'peer_false'
  /** More was proven of one key than is kept; what is kept convicts. It stands until the process ends. */
  | 'evidence_full'
  /** Two heads do not fit together, and nothing proves it yet. */
  | 'inconsistent_unproven';

export interface Alert {
  readonly code: AlertCode;
  /** Of the log that it is about; `undefined`: it is about no single one. */
  readonly origin: string | undefined;
  /** The URL of whoever answered so, where that is not the log itself. */
  readonly source: string | undefined;
  /** In words, without a byte of what was received. */
  readonly message: string;
  /** When it was found, milliseconds since 1970. */
  readonly sinceMs: number;
}

export interface AlertsOptions {
  readonly now: () => number;
  /** Told of each alert when it begins, and of the same when it has ended. */
  readonly onRaised: (alert: Alert) => void;
  readonly onCleared: (alert: Alert) => void;
}

/** What an alert is about. Two of one subject are one alert. */
export type AlertSubject = Pick<Alert, 'origin' | 'code'> & { readonly source?: string | undefined };

export class Alerts {
  readonly #options: AlertsOptions;
  readonly #standing = new Map<string, Alert>();
  readonly #raised = new Map<string, Pick<Alert, 'origin' | 'code'> & { readonly count: number }>();

  constructor(options: AlertsOptions) {
    this.#options = options;
  }

  /** The alerts that stand, oldest first. */
  get standing(): readonly Alert[] {
    return [...this.#standing.values()];
  }

  /** How many alerts were raised since the process began, by log and code. */
  get counts(): readonly (Pick<Alert, 'origin' | 'code'> & { readonly count: number })[] {
    return [...this.#raised.values()];
  }

  /** What a check has found: `message` is what is wrong, `undefined` that nothing is. */
  settle(subject: AlertSubject, message: string | undefined): void {
    if (message === undefined) this.clear(subject);
    else this.raise(subject, message);
  }

  raise(subject: AlertSubject, message: string): void {
    const key = keyOf(subject);
    if (this.#standing.has(key)) return;
    const { origin, code, source } = subject;
    const alert: Alert = { origin, code, source, message, sinceMs: this.#options.now() };
    this.#standing.set(key, alert);
    const of = JSON.stringify([origin ?? null, code]);
    const { count = 0 } = this.#raised.get(of) ?? {};
    this.#raised.set(of, { origin, code, count: count + 1 });
    this.#options.onRaised(alert);
  }

  clear(subject: AlertSubject): void {
    const key = keyOf(subject);
    const alert = this.#standing.get(key);
    if (!alert) return;
    this.#standing.delete(key);
    this.#options.onCleared(alert);
  }
}

function keyOf({ origin, code, source }: AlertSubject): string {
  return JSON.stringify([origin ?? null, code, source ?? null]);
}
