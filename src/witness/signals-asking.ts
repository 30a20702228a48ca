/** What a log's asking of its witnesses tells whoever listens. Names are those of the policy; nothing received is in it. */

import type { WitnessConflict } from './conflict.ts';

export type AskingSignal =
  | { readonly event: 'asked'; readonly name: string; readonly size: number; readonly old: number }
  | {
      readonly event: 'answered';
      readonly name: string;
      readonly size: number;
      readonly lines: number;
      readonly durationMs: number;
    }
  /** Lines came for a head whose asking was over. */
  | { readonly event: 'late'; readonly name: string; readonly size: number }
  /** The `failures`-th time in a row; the first is the one to tell. */
  | { readonly event: 'failed'; readonly name: string; readonly why: string; readonly failures: number }
  /** An answer, after so many failures. */
  | { readonly event: 'recovered'; readonly name: string; readonly failures: number }
  /** It has failed so often that it is left alone for a while, before one request tries it. */
  | { readonly event: 'opened'; readonly name: string; readonly failures: number; readonly forMs: number }
  | { readonly event: 'conflict'; readonly conflict: WitnessConflict }
  /** Something of ours failed while a witness was asked, and nobody was left to be told. */
  | { readonly event: 'fault'; readonly name: string; readonly error: unknown };

export type AskingListener = (signal: AskingSignal) => void;
