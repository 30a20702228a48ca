/** The thread that signs with ML-DSA-44 for a server (`mldsa-node.ts`). It keeps no key. */

import { parentPort } from 'node:worker_threads';
import { nobleMldsa44 } from '../formats/mldsa-noble.ts';
import type { SigningAnswer, SigningJob } from './mldsa-node.ts';

const port = parentPort!;

port.on('message', ({ id, seed, message }: SigningJob) => {
  port.postMessage(answerTo(id, () => nobleMldsa44.sign(seed, message)));
  seed.fill(0);
});

function answerTo(id: number, sign: () => Uint8Array): SigningAnswer {
  try {
    return { id, signature: sign() };
  } catch {
    return { id };
  }
}
