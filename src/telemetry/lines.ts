/**
 * Log lines: one JSON object a line, for machines that collect them and people who grep.
 *
 *   {"level":"info","time":"2026-11-20T12:00:08.123Z","size":41,"round":42,"duration_ms":12.3,"msg":"log opened and proved"}
 *
 * Units are in the names. What is never in a line: a token, a header, the bytes or the hash of an entry.
 * What can come many times a second (rounds, publications, requests that went well) is at debug level, and refusals
 * under load are counted rather than listed, so that a flood of requests is no flood of lines.
 */

import { pino, stdTimeFunctions } from 'pino';
import { NewelError } from '../errors.ts';
import type { AnsweredRequest } from '../http/signals.ts';
import type { Signals } from './signals.ts';

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** Throws `malformed`. */
export function parseLevel(text: string): Level {
  const level = LEVELS.find((name) => name === text);
  if (level === undefined) throw new NewelError('malformed', `is not one of ${LEVELS.join(', ')}`);
  return level;
}

export interface LinesOptions {
  readonly level: Level;
  readonly write: (line: string) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface Lines extends Signals {
  /** Anything else: what the process is doing. */
  say(level: Level, msg: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Refusals for lack of room are told at most this often. */
const REFUSED_EVERY_MS = 10_000;
/** Causes of an error that a line lists. */
const MAX_CAUSES = 5;

export function createLines({ level, write, now = Date.now }: LinesOptions): Lines {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  let refused = 0;
  /** The last of them. */
  let lastRefused: Pick<AnsweredRequest, 'route' | 'status'> | undefined;
  let toldMs = Number.NEGATIVE_INFINITY;

  return {
    log(signal) {
      switch (signal.event) {
        case 'opened': {
          const { size, round, provedRounds, durationMs } = signal;
          const fields = { size, round, proved_rounds: provedRounds, duration_ms: tenths(durationMs) };
          return logger.info(fields, 'log opened and proved');
        }
        case 'guard_caught_up':
          return logger.warn({ round: signal.round }, 'the guard was one round behind, and has caught up');
        case 'clock_waited':
          return logger.warn(
            { waited_ms: signal.waitedMs },
            'the clock was behind the last head; waited for it',
          );
        case 'clock_accepted':
          return logger.warn(
            { behind_ms: signal.behindMs },
            'the clock is behind the last head, and was accepted',
          );
        case 'round': {
          const { round, entries, bytes, size, commitMs, guardMs } = signal;
          const durations = { commit_ms: tenths(commitMs), guard_ms: tenths(guardMs) };
          return logger.debug({ round, entries, written_bytes: bytes, size, ...durations }, 'round');
        }
        case 'published':
          return logger.debug({ slot: signal.slot, size: signal.size }, 'published');
        case 'damage_read':
          return logger.error({ what: signal.what }, 'the database holds other bytes than were committed');
        case 'publish_failed':
          return logger.error(errorFields(signal.error), 'a head could not be published; it is tried again');
        case 'asking_failed':
          return logger.error(
            { slot: signal.slot, ...errorFields(signal.error) },
            'asking witnesses met a failure that is ours',
          );
        case 'unmet': {
          const { slot, size, have, need } = signal;
          return logger.debug({ slot, size, have, need }, 'a head was not cosigned in time');
        }
        case 'fatal':
          if (signal.error instanceof NewelError && signal.error.code === 'log_refused') {
            return logger.error(
              errorFields(signal.error),
              'the log has stopped: it is not the only one of its name',
            );
          }
          return logger.error(
            errorFields(signal.error),
            'a write failed and its outcome is unknown: the log has stopped, start it again to find out',
          );
      }
    },
    tokens(signal) {
      switch (signal.event) {
        case 'tokens_read':
          return logger.info({ tokens: signal.tokens }, 'token list read');
        case 'tokens_unreadable':
          return logger.error(
            errorFields(signal.error),
            'token list not readable: the last good one stays in force',
          );
      }
    },
    issuer(signal) {
      switch (signal.event) {
        case 'issuer_keys_read':
          return logger.debug({ keys: signal.keys }, 'keys of the issuer of JWTs read');
        case 'issuer_unreachable':
          return logger.error(
            errorFields(signal.error),
            'keys of the issuer of JWTs not readable: JWTs are refused once those that were read are too old',
          );
      }
    },
    witnesses(signal) {
      switch (signal.event) {
        case 'asked': {
          const { name, size, old } = signal;
          return logger.debug({ name, size, old }, 'a witness is asked');
        }
        case 'answered': {
          const { name, size, lines, durationMs } = signal;
          return logger.debug(
            { name, size, lines, duration_ms: tenths(durationMs) },
            'a witness has cosigned',
          );
        }
        case 'late':
          return logger.debug(
            { name: signal.name, size: signal.size },
            'a witness has cosigned after its asking was over',
          );
        case 'failed': {
          const { name, why, failures } = signal;
          // The first time it is news.
          const at = failures === 1 ? 'info' : 'debug';
          return logger[at]({ name, why, failures }, 'a witness did not cosign');
        }
        case 'recovered':
          return logger.info({ name: signal.name, failures: signal.failures }, 'a witness cosigns again');
        case 'opened': {
          const { name, failures, forMs } = signal;
          return logger.warn({ name, failures, for_ms: forMs }, 'a witness is left alone for a while');
        }
        case 'conflict': {
          const { name, kind, ours, theirs } = signal.conflict;
          return logger.error({ name, kind, ours, theirs }, 'a witness contradicts this log');
        }
        case 'fault':
          return logger.error(
            { name: signal.name, ...errorFields(signal.error) },
            'asking a witness met a failure that is ours',
          );
      }
    },
    request({ method, route, status, durationMs }) {
      if (status === 429 || status === 503) {
        refused += 1;
        lastRefused = { route, status };
      } else if (status >= 500) {
        logger.error({ method, route, status, duration_ms: tenths(durationMs) }, 'request failed');
      }
      if (refused > 0 && now() - toldMs >= REFUSED_EVERY_MS) {
        logger.warn({ requests: refused, ...lastRefused }, 'requests are being refused');
        toldMs = now();
        refused = 0;
      }
      if (logger.isLevelEnabled('debug')) {
        logger.debug({ method, route, status, duration_ms: tenths(durationMs) }, 'request');
      }
    },
    say: (at, msg, fields = {}) => logger[at](fields, msg),
  };
}

/** What a line says of an error: messages and codes along its causes, which hold no received bytes; a stack for a bug. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: 'something that is not an Error was thrown' };
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < MAX_CAUSES; cause = cause.cause) {
    causes.push(cause.message);
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    error: error.message,
    ...(code === undefined ? { stack: error.stack } : { code }),
    ...(causes.length > 0 ? { causes } : {}),
  };
}

function tenths(durationMs: number): number {
  return Math.round(durationMs * 10) / 10;
}
