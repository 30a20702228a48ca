/** What work costs this process: a limit on it holds on a machine that does other things too. */

/** The CPU time, user and system, that this process spends while `work` runs. Unit: milliseconds. */
export function spentCpuMs(work: () => void): number {
  const started = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1000;
}
