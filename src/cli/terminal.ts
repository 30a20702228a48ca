/** What a command may read, say and see: data to `out`, everything else to `err`, colour only where somebody looks. */

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
}

export interface Terminal {
  /** What is piped in. */
  readonly input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that relative paths begin at. */
  readonly cwd: string;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  return {
    // Opened when somebody reads: a stream that nobody reads would keep the process from ending.
    get input() {
      return process.stdin;
    },
    out: outputOf(process.stdout),
    err: outputOf(process.stderr),
    env: process.env,
    cwd: process.cwd(),
  };
}

function outputOf(stream: NodeJS.WriteStream): Output {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    // Whoever read our data has gone (`| head`), so there is nothing left to do. Nobody to read our log lines is no
    // reason to stop a log.
    if (stream === process.stdout) process.exit();
  });
  return { write: (text) => void stream.write(text), isTerminal: stream.isTTY };
}

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2 } as const;

/** The text in a colour, where `output` is a terminal and `NO_COLOR` (no-color.org) is not set. */
export function paint(
  terminal: Terminal,
  output: Output,
  colour: keyof typeof COLOURS,
  text: string,
): string {
  const { NO_COLOR: noColour, TERM: term } = terminal.env;
  if (!output.isTerminal || (noColour !== undefined && noColour !== '') || term === 'dumb') return text;
  return `\u001b[${COLOURS[colour]}m${text}\u001b[0m`;
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Somebody else's text as one line that moves no cursor, sets no colour and turns no direction. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

/** A count and what is counted: `1 event`, `2 events`. */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const SHELL_WORD = /^[\w@%+=:,./-]+$/;

/** A word for a POSIX shell. */
export function shellQuote(text: string): string {
  return SHELL_WORD.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Lines of a name and a value, the values below each other. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

/** Several rows below each other, with a space of two between columns. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}
