/** What a served log holds open, and the order in which it lets go: nothing new comes in before what came is finished. */

import type { Tokens } from '../access/tokens.ts';
import type { Listening } from '../http/listen.ts';
import type { Log } from '../log/log.ts';
import type { Lines } from '../telemetry/lines.ts';
import { closeInOrder } from './ending.ts';
import type { PrivateZone } from './private-zone.ts';
import type { SecondKey } from './second-key.ts';
import type { Witnessing } from './witnessing.ts';

export interface Opened {
  readonly sockets: Listening[];
  tokens?: Tokens;
  log?: Log;
  secondKey?: SecondKey | undefined;
  witnessing?: Witnessing;
  /** Until the witnesses agree, where they did not at once. Never rejects. */
  agreeing?: Promise<void>;
  zone?: PrivateZone | undefined;
}

/** How long requests under way may take once it ends. The rest of 10 s is for the last round and its publication. */
const GRACE_MS = 5000;

/** Returns whether all closed well; a line says what did not. */
export function closeAll(opened: Opened, lines: Lines): Promise<boolean> {
  return closeInOrder(
    [
      ['the waits', () => endWaits(opened)],
      ['the sockets', () => Promise.all(opened.sockets.map((socket) => socket.close(GRACE_MS)))],
      ['the token list', () => opened.tokens?.close()],
      // What it has begun has things to say while the log still takes them.
      ['what begins later', () => opened.agreeing],
      ['the private zone', () => opened.zone?.close()],
      ['the log', () => opened.log?.close()],
      ['the connections to witnesses', () => opened.witnessing?.close()],
      ['the thread that signs', () => opened.secondKey?.close()],
    ],
    lines,
  );
}

function endWaits({ witnessing, log }: Opened): void {
  witnessing?.stopAgreeing();
  log?.endWaits();
}
