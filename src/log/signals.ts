/** What the log tells whoever listens. Rooms emit, `telemetry/` counts and prints: the algorithm holds no metrics. */

export type LogSignal =
  | { event: 'opened'; size: number; round: number; provedRounds: number; durationMs: number }
  | { event: 'guard_caught_up'; round: number }
  | { event: 'clock_waited'; waitedMs: number }
  | { event: 'clock_accepted'; behindMs: number }
  | {
      event: 'round';
      round: number;
      entries: number;
      bytes: number;
      size: number;
      commitMs: number;
      guardMs: number;
    }
  | { event: 'published'; slot: string; size: number }
  | { event: 'publish_failed'; error: unknown }
  | { event: 'asking_failed'; slot: string; error: unknown }
  | { event: 'unmet'; slot: string; size: number; have: number; need: number }
  | { event: 'damage_read'; what: string }
  | { event: 'fatal'; error: unknown };

export type Listener = (signal: LogSignal) => void;

/**
 * A listener that cannot hurt who calls it: what it throws becomes a warning of the process. Rounds go on, and nobody
 * who waits for one is left waiting, because a log line could not be written.
 */
export function harmless(listener: Listener): Listener {
  return (signal) => {
    try {
      listener(signal);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
