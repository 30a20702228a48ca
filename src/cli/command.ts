/** What a command is: its name, its options, its help, and what it does with them. */

import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { NewelError } from '../errors.ts';
import { formatTable, type Terminal } from './terminal.ts';

export interface Option {
  /** What stands for the value in the help; without one the option is a switch. */
  readonly value?: string;
  readonly help: string;
  readonly multiple?: boolean;
}

export type Options = Readonly<Record<string, Option>>;

export interface Call {
  readonly terminal: Terminal;
  readonly positionals: readonly string[];
  /** The value of an option, if it was given. */
  text(option: string): string | undefined;
  texts(option: string): readonly string[];
  /** What `parse` makes of it; `undefined` where it was not given. Throws `usage`, naming the option. */
  parsed<T>(option: string, parse: (text: string) => T): T | undefined;
  has(option: string): boolean;
  /** Whether data is to be printed as JSON. */
  readonly json: boolean;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What stands after the name, one line for each form. */
  readonly usage: readonly string[];
  /** Paragraphs for its own help. */
  readonly about: string;
  readonly options: Options;
  /** How many positional arguments it takes. */
  readonly positionals: readonly [min: number, max: number];
  /** Resolves to the exit code. */
  run(call: Call): Promise<number>;
}

const COMMON: Options = {
  json: { help: 'print data, and errors, as JSON' },
  help: { help: 'print this' },
};

/** Reads a command's arguments. Throws `usage`. */
export function parseCall(
  command: Command,
  args: readonly string[],
  terminal: Terminal,
): Call & { help: boolean } {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, { value, multiple }] of Object.entries({ ...command.options, ...COMMON })) {
    options[name] = { type: value === undefined ? 'boolean' : 'string', multiple: multiple ?? false };
  }
  const { values, positionals } = parseStrictly(command, args, options);
  const texts = (option: string): string[] => {
    const value = values[option];
    return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string');
  };
  const help = values['help'] === true;
  const [min, max] = command.positionals;
  if (!help && (positionals.length < min || positionals.length > max)) {
    throw usage(
      command,
      positionals.length < min ? 'an argument is missing' : 'there are too many arguments',
    );
  }
  return {
    terminal,
    positionals,
    texts,
    help,
    text: (option) => texts(option)[0],
    parsed(option, parse) {
      const [text] = texts(option);
      return text === undefined ? undefined : parseGiven(command, `--${option}`, text, parse);
    },
    has: (option) => values[option] === true,
    json: values['json'] === true,
  };
}

function parseStrictly(
  command: Command,
  args: readonly string[],
  options: ParseArgsOptionsConfig,
): { values: Readonly<Record<string, unknown>>; positionals: string[] } {
  try {
    const { values, positionals, tokens } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
      tokens: true,
    });
    const seen = new Set<string>();
    for (const token of tokens) {
      if (token.kind !== 'option' || options[token.name]?.multiple) continue;
      if (seen.has(token.name)) throw usage(command, `--${token.name} is given twice`);
      seen.add(token.name);
    }
    return { values, positionals };
  } catch (error) {
    if (error instanceof NewelError || !(error instanceof Error)) throw error;
    // The first sentence says what is wrong; the rest is advice on writing arguments that begin with a hyphen.
    throw usage(command, error.message.split('. ')[0]!.replace(/\.$/, ''));
  }
}

/** A `usage` error of this command, with the way to its help. */
export function usage(command: { readonly name: string }, flaw: string): NewelError {
  return new NewelError('usage', `${flaw} (newel ${command.name} --help)`);
}

/** What `parse` makes of a text that was given as `name`. Throws `usage`, in the words that `parse` throws after that name. */
export function parseGiven<T>(
  command: { readonly name: string },
  name: string,
  text: string,
  parse: (text: string) => T,
): T {
  try {
    return parse(text);
  } catch (error) {
    throw error instanceof NewelError ? usage(command, `${name} ${error.message}`) : error;
  }
}

/** The help of one command. */
export function formatHelp(command: Command): string {
  const forms = command.usage
    .map((form) => `  newel ${command.name}${form === '' ? '' : ` ${form}`}\n`)
    .join('');
  const rows = Object.entries({ ...command.options, ...COMMON }).map(([name, { value, help }]) => [
    `  --${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ]);
  return `${forms}\n${command.about}\n\n${formatTable(rows)}`;
}
