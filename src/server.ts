/**
 * For whoever embeds a log in a process of their own: open it, make an app of it, serve that however they like.
 *
 *   const log = await openLog({ store: await openLevelStore(folder, { create: false }), guard: await openGuard(path), … });
 *   const app = createApp({ log, … }, { authenticate, charge });        a Hono app
 */

export { NewelError, type ErrorCode } from './errors.ts';
export { createApp, createPublicApp, type Site, type WriteSite } from './http/app.ts';
export { listen, type Listening, type ListenOptions } from './http/listen.ts';
export { type CreateOptions, createLog } from './log/create.ts';
export { createGuard, type Guard, type GuardedHead, openGuard } from './log/guard.ts';
export { fsck, type Finding, type FsckReport } from './log/fsck.ts';
export type { Log } from './log/log.ts';
export { openLog, type OpenOptions } from './log/open.ts';
export { MemoryStore } from './storage/memory.ts';
export { openLevelStore } from './storage/level.ts';
export type { Store } from './storage/store.ts';
