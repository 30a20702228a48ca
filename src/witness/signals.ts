/** What a witness tells whoever listens; `cli` says it in log lines. Origins in it are of the operator's own list. */

export type CosigningSignal =
  | {
      readonly event: 'opened';
      readonly origins: number;
      readonly commits: number;
      readonly durationMs: number;
    }
  | { readonly event: 'cosigned'; readonly origin: string; readonly size: number }
  /** Both heads are signed by the log, of one size, and have different roots: signed notes, of the log's lines alone. */
  | {
      readonly event: 'fork';
      readonly origin: string;
      readonly size: number;
      readonly heads: readonly [recorded: Uint8Array, submitted: Uint8Array];
    }
  | { readonly event: 'clock_behind'; readonly origin: string; readonly behindS: number }
  | { readonly event: 'fatal'; readonly error: unknown };

export type ListSignal =
  | { readonly event: 'list_read'; readonly logs: number }
  | { readonly event: 'list_unreadable'; readonly error: unknown };
