/** The thread that prepares events for a served log (`vault/prepare-pool.ts`). */

import { parentPort, workerData } from 'node:worker_threads';
import { setSha256 } from '../core/hash.ts';
import type { Preparing } from '../vault/prepare.ts';
import { answerDrafts } from '../vault/prepare-pool.ts';
import { nodeSha256 } from './sha256-node.ts';

setSha256(nodeSha256);
answerDrafts(parentPort!, workerData as Preparing);
