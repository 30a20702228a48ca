#!/usr/bin/env node
/** The `newel` program: the process around `run`. */

import { run } from './run.ts';
import { processTerminal } from './terminal.ts';

// Whatever a command writes is for its owner alone: keys, tokens, and the files that LevelDB makes.
process.umask(0o077);
process.exitCode = await run(process.argv.slice(2), processTerminal());
