/** What a witness that exchanges heads says of it in its log lines. */

import type { GossipSignal } from '../monitor/gossip-peers.ts';
import type { HeadsSignal } from '../monitor/heads.ts';
import { errorFields, type Lines } from '../telemetry/lines.ts';

export function sayHeads(lines: Lines, signal: HeadsSignal): void {
  switch (signal.event) {
    case 'newest': {
      const { origin, size, source } = signal;
      return lines.say('debug', 'newest head', { origin, size, source });
    }
    case 'apart': {
      const { origin, size } = signal;
      return lines.say('debug', 'the head that was cosigned is not known to be of one tree with the newest', {
        origin,
        size,
      });
    }
    case 'evidence': {
      const { kind, origin, sizes, keys } = signal.verified;
      return lines.say('error', `proof of a ${kind}`, { origin, sizes, keys });
    }
    case 'unkept':
      // What becomes of it in the folder is said.
      return;
    case 'undecided': {
      const { origin, size, source, why } = signal;
      const what = 'a signed head is not known to be of the tree that was cosigned; this is no proof';
      return lines.say('warn', what, { origin, size, source, why });
    }
    case 'unreadable':
      return lines.say('warn', 'a head that was kept does not verify any more', {
        origin: signal.origin,
        ...errorFields(signal.error),
      });
  }
}

export function sayPeer(lines: Lines, signal: GossipSignal): void {
  switch (signal.event) {
    case 'peer_answers':
      return lines.say('info', 'a peer answers again', { peer: signal.peer });
    case 'peer_fails':
      return lines.say('warn', 'a peer does not answer', { peer: signal.peer, why: signal.why });
    case 'peer_false':
      return lines.say('warn', 'what a peer answers is not true', { peer: signal.peer, why: signal.why });
    case 'failed':
      return lines.say('error', 'exchanging heads met a failure that is ours', errorFields(signal.error));
  }
}
