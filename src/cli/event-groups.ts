/**
 * Events in the groups that they are sent in: as many as there are, up to a bound, without waiting long for more. So a
 * file goes in large groups, and what somebody pipes in now and then goes as it comes.
 */

import type { JsonObject } from '../formats/json.ts';

export interface GroupLimits {
  readonly maxEvents: number;
  /** Of the events as JSON. */
  readonly maxChars: number;
  readonly idleMs: number;
}

/** What fits into one round of any log. */
const GROUP_LIMITS: GroupLimits = { maxEvents: 512, maxChars: 2 * 1024 * 1024, idleMs: 200 };

/** Whatever has an event. */
interface WithEvent {
  readonly event: JsonObject;
}

/** The groups, none of them empty. What the events throw is thrown after a group of those before it. */
export async function* groupsOf<T extends WithEvent>(
  events: AsyncGenerator<T, void>,
  { maxEvents, maxChars, idleMs }: GroupLimits = GROUP_LIMITS,
): AsyncGenerator<readonly T[], void> {
  let group: T[] = [];
  let chars = 0;
  let next = events.next();
  try {
    for (;;) {
      if (group.length > 0 && !(await isSoon(next, idleMs))) {
        yield group;
        group = [];
        chars = 0;
      }
      let read: IteratorResult<T, void>;
      try {
        read = await next;
      } catch (error) {
        if (group.length > 0) yield group;
        throw error;
      }
      if (read.done) break;
      const length = JSON.stringify(read.value.event).length;
      if (group.length > 0 && (group.length >= maxEvents || chars + length > maxChars)) {
        yield group;
        group = [];
        chars = 0;
      }
      group.push(read.value);
      chars += length;
      next = events.next();
    }
    if (group.length > 0) yield group;
  } finally {
    // It may be waiting for input that never comes, and whoever stops here does not wait with it.
    next.catch(() => {});
    void events.return().catch(() => {});
  }
}

async function isSoon(next: Promise<unknown>, idleMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, idleMs, false)));
  const came = next.then(
    () => true,
    () => true,
  );
  return Promise.race([came, late]).finally(() => clearTimeout(timer));
}
