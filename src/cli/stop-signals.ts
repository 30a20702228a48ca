/** SIGTERM and SIGINT: the first asks a service to end in order, a second one ends the process. */

import type { Service } from './service.ts';
import { EXIT } from './exit-code.ts';
import type { Lines } from '../telemetry/lines.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** A supervisor commonly waits 10 s before it kills. */
const DEADLINE_MS = 9500;

/** Waits until the service has ended, by a signal or by itself; `still` is what it does before. Resolves to the exit code. */
export async function waitForEnd(
  service: Pick<Service, 'stop' | 'ended'>,
  lines: Lines,
  still = 'last round, publication',
): Promise<number> {
  let asked = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) {
      lines.say('warn', 'told to end a second time: ending at once, the next start recovers', { signal });
      process.exit(EXIT.refused);
    }
    asked = true;
    lines.say('info', `ending: no new requests, ${still}`, { signal });
    setTimeout(() => {
      lines.say('error', 'not closed in time: ending at once, the next start recovers', {
        limit_ms: DEADLINE_MS,
      });
      process.exit(EXIT.refused);
    }, DEADLINE_MS).unref();
    void service.stop();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const end = await service.ended;
    lines.say(end === 'failed' ? 'error' : 'info', end === 'failed' ? 'ended after a failure' : 'ended');
    return end === 'failed' ? EXIT.refused : EXIT.ok;
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}
