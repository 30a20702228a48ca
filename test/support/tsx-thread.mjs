/** A thread whose entry is TypeScript: Node 20 does not hand the loader of its parent on. */

import { workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

const { entry } = /** @type {{ entry: string }} */ (workerData);
register();
await import(entry);
