/** A listener that cannot hurt who calls it: what it throws becomes a warning of the process. */

export function harmless<Signal>(listener: (signal: Signal) => void): (signal: Signal) => void {
  return (signal) => {
    try {
      listener(signal);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
