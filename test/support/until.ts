/** Waiting for what others bring about: long enough for any machine, and no longer than it takes. */

const MAX_WAIT_MS = 60_000;

/**
 * The first thing that a look finds: whatever is neither `undefined` nor `false`. Throws, saying `what` did not come,
 * after a minute of looking every few milliseconds.
 */
export async function until<T>(
  look: () => T | Promise<T>,
  what = 'what is waited for',
  everyMs = 10,
): Promise<Exclude<T, undefined | false>> {
  for (const endMs = performance.now() + MAX_WAIT_MS; ;) {
    const found = await look();
    if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    if (performance.now() > endMs) throw new Error(`${what}: it did not come within ${MAX_WAIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
