/** How far a monitor has caught up, of all its logs together: shown while it takes a while, and gone when it is done. */

import { type Progress, startProgress } from './progress.ts';
import type { Terminal } from './terminal.ts';

export interface CatchUpProgress {
  /** Both in entries of the log `origin`. */
  update(origin: string, at: { readonly done: number; readonly total: number }): void;
  end(): void;
}

export function catchUpProgress(terminal: Terminal): CatchUpProgress {
  let shown: Progress | undefined;
  /** Of each log that is not caught up, where it was when this began. */
  const logs = new Map<string, { from: number; done: number; total: number }>();
  const end = (): void => {
    shown?.end();
    shown = undefined;
    logs.clear();
  };
  return {
    update(origin, { done, total }) {
      shown ??= startProgress(terminal, 'verifying', 'entries');
      const { from } = logs.get(origin) ?? { from: done };
      logs.set(origin, { from, done, total });
      const all = [...logs.values()];
      if (all.every((log) => log.done === log.total)) return end();
      const sum = (of: (log: { from: number; done: number; total: number }) => number): number =>
        all.reduce((total, log) => total + of(log), 0);
      shown.update({ done: sum((log) => log.done - log.from), total: sum((log) => log.total - log.from) });
    },
    end,
  };
}
