/**
 * What a witness tells whoever listens: `telemetry` counts it, `cli` says it in log lines. Origins in it are of the
 * operator's own list.
 */

export type CosigningSignal =
  | {
      readonly event: 'opened';
      readonly origins: number;
      readonly commits: number;
      readonly durationMs: number;
    }
  | { readonly event: 'cosigned'; readonly origin: string; readonly size: number }
  /** The log has signed another tree of the size that was cosigned last. */
  | { readonly event: 'fork'; readonly origin: string; readonly size: number }
  | { readonly event: 'clock_behind'; readonly origin: string; readonly behindS: number }
  | { readonly event: 'fatal'; readonly error: unknown };

export type ListSignal =
  | { readonly event: 'list_read'; readonly logs: number }
  | { readonly event: 'list_unreadable'; readonly error: unknown };
