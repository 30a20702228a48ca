#!/usr/bin/env node
/** The `newel` program: the process around `run`. */

import { setSha256 } from '../core/hash.ts';
import { run } from './run.ts';
import { nodeSha256 } from './sha256-node.ts';
import { processTerminal } from './terminal.ts';

// Whatever a command writes is for its owner alone: keys, tokens, and the files that LevelDB makes.
process.umask(0o077);
setSha256(nodeSha256);
process.exitCode = await run(process.argv.slice(2), processTerminal());
