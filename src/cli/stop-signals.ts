/** SIGTERM and SIGINT: the first asks a service to end in order, a second one ends the process. */

import type { Service } from './service.ts';
import { EXIT } from './exit-code.ts';
import type { Lines } from '../telemetry/lines.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** A supervisor commonly waits 10 s before it kills. */
const DEADLINE_MS = 9500;

type Stoppable = Pick<Service, 'stop' | 'ended'>;

export interface RunOptions<S extends Stoppable> {
  readonly lines: Lines;
  /** Opens what is to be served. What starts is not torn down: told to end meanwhile, it ends as soon as it has started. */
  readonly start: () => Promise<S>;
  /** Called once it has started, unless it was told to end before. */
  readonly onServing?: (service: S) => void | Promise<void>;
  /** What it does before it ends. */
  readonly still?: string;
}

/**
 * Starts a service and waits until it has ended, by a signal or by itself. Resolves to the exit code. Throws what `start`
 * throws, and what `onServing` throws, once the service has ended.
 */
export async function runService<S extends Stoppable>(options: RunOptions<S>): Promise<number> {
  const { lines, start, onServing, still = 'last round, publication' } = options;
  let service: S | undefined;
  let isTold = false;
  let deadline: NodeJS.Timeout | undefined;
  const end = (told: S): void => {
    deadline = setTimeout(() => {
      lines.say('error', 'not closed in time: ending at once, the next start recovers', {
        limit_ms: DEADLINE_MS,
      });
      process.exit(EXIT.refused);
    }, DEADLINE_MS).unref();
    void told.stop();
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isTold) {
      lines.say('warn', 'told to end a second time: ending at once, the next start recovers', { signal });
      process.exit(EXIT.refused);
    }
    const how = service ? `no new requests, ${still}` : 'as soon as it has started';
    isTold = true;
    lines.say('info', `ending: ${how}`, { signal });
    if (service) end(service);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    service = await start();
    if (isTold) {
      end(service);
    } else {
      try {
        await onServing?.(service);
      } catch (error) {
        await service.stop();
        throw error;
      }
    }
    const isFailed = (await service.ended) === 'failed';
    lines.say(isFailed ? 'error' : 'info', isFailed ? 'ended after a failure' : 'ended');
    return isFailed ? EXIT.refused : EXIT.ok;
  } finally {
    clearTimeout(deadline);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}
