/** Whoever listens to the rooms of a served log: log lines do, and metrics. */

import type { IssuerSignal, TokensSignal } from '../access/signals.ts';
import type { AnsweredRequest } from '../http/signals.ts';
import type { LogSignal } from '../log/signals.ts';
import type { AskingSignal } from '../witness/signals-asking.ts';

export interface Signals {
  readonly log: (signal: LogSignal) => void;
  readonly tokens: (signal: TokensSignal) => void;
  readonly issuer: (signal: IssuerSignal) => void;
  readonly request: (request: AnsweredRequest) => void;
  readonly witnesses: (signal: AskingSignal) => void;
}

/** Each of them is told of all, in this order. */
export function tellBoth(first: Signals, second: Signals): Signals {
  const both =
    <Signal>(tellFirst: (signal: Signal) => void, tellSecond: (signal: Signal) => void) =>
    (signal: Signal): void => {
      tellFirst(signal);
      tellSecond(signal);
    };
  return {
    log: both(first.log, second.log),
    tokens: both(first.tokens, second.tokens),
    issuer: both(first.issuer, second.issuer),
    request: both(first.request, second.request),
    witnesses: both(first.witnesses, second.witnesses),
  };
}
