/** Progress, to stderr: a line that is renewed where somebody looks, else a line every few seconds. */

import type { Terminal } from './terminal.ts';

export interface Progress {
  /** Both in `unit`. */
  update(at: { readonly done: number; readonly total: number }): void;
  /** Takes the renewed line away. */
  end(): void;
}

const RENEW_EVERY_MS = 100;
const LINE_EVERY_MS = 5000;

/** `what` and `unit` as in "checking 41,984 of 70,000 entries, 12,000 a second, 3 s to go". */
export function startProgress(
  { err }: Terminal,
  what: string,
  unit: string,
  now: () => number = () => performance.now(),
): Progress {
  const startedMs = now();
  let shownMs = startedMs;
  let shown = false;
  return {
    update({ done, total }) {
      const nowMs = now();
      if (nowMs - shownMs < (err.isTerminal ? RENEW_EVERY_MS : LINE_EVERY_MS)) return;
      shownMs = nowMs;
      shown = true;
      const line = formatProgress(what, unit, done, total, nowMs - startedMs);
      err.write(err.isTerminal ? `\r${line}\u001b[K` : `${line}\n`);
    },
    end() {
      if (shown && err.isTerminal) err.write('\r\u001b[K');
    },
  };
}

/** One line, without its newline. */
export function formatProgress(
  what: string,
  unit: string,
  done: number,
  total: number,
  elapsedMs: number,
): string {
  const text = `${what} ${grouped(done)} of ${grouped(total)} ${unit}`;
  if (done === 0 || elapsedMs <= 0) return text;
  const perSecond = (done / elapsedMs) * 1000;
  return `${text}, ${formatRate(done, elapsedMs)} a second, ${formatDuration((total - done) / perSecond)} to go`;
}

export function formatRate(count: number, elapsedMs: number): string {
  return grouped(elapsedMs <= 0 ? 0 : Math.round((count / elapsedMs) * 1000));
}

export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
}
