/**
 * Cosigning a checkpoint (C2SP tlog-witness, "add-checkpoint"). The line leaves after what it says is on the disk:
 *
 *   form 400, 413 ─ origin 404 ─ signatures 403 ─ as recorded this second 200 ─┐ one at a time for each origin
 *       ┌────────────────────────────────────────────────────────────────────────┘
 *       └ successor 400, 409, 422 ─ text 403 ─ as recorded 200 ─ clock 503 ─ budget 429 ─ cosign ─ commit ─ 200
 *
 * Whoever has the checkpoint that was cosigned last can ask for it again: within the second of our lines they are answered
 * as they are recorded, so that a second brings one signature of it at most, and none that growth would wait for.
 */

import { NewelError } from '../errors.ts';
import type { Cosigner } from '../formats/cosignature.ts';
import type { Checkpoint } from '../formats/checkpoint.ts';
import { formatNote, formatSignatureLines, openNote, parseNote } from '../formats/note.ts';
import { type AddCheckpoint, parseAddCheckpoint } from './add-checkpoint-body.ts';
import { checkSuccessor } from './consistency-check.ts';
import { cosigningTime, type WitnessClock } from './cosigning-clock.ts';
import type { KnownLog, KnownLogs } from './known-logs.ts';
import type { LogBudgets } from './log-budgets.ts';
import type { Memory } from './memory.ts';
import type { OriginTurns } from './origin-turns.ts';
import { isWholeSigned, joinLines, recordedAnswer, type SignedText } from './recorded-lines.ts';
import {
  type AddCheckpointAnswer,
  overBudget,
  type Refusal,
  refusalOf,
  STOPPED,
  UNKNOWN_ORIGIN,
} from './serving-answer.ts';
import type { CosigningSignal } from './signals.ts';
import { readSubmitted } from './submitted-checkpoint.ts';
import type { ToldForks } from './told-forks.ts';
import { hashOrigin, type Recorded } from './witness-rows.ts';

export interface AddCheckpointParts {
  readonly memory: Memory;
  /** All of them cosign. */
  readonly cosigners: readonly Cosigner[];
  readonly logs: KnownLogs;
  readonly clock: WitnessClock;
  readonly budgets: LogBudgets;
  readonly turns: OriginTurns;
  readonly forks: ToldForks;
  readonly onSignal: (signal: CosigningSignal) => void;
}

/** A checkpoint that its log has signed. */
type Opened = Checkpoint & SignedText;
type Claim = Pick<AddCheckpoint, 'oldSize' | 'proof'>;

const UNSIGNED_TEXT: Refusal = {
  status: 403,
  reason:
    'no Ed25519 key of the log has signed the text: a line of another type says nothing of extension lines',
};

/** Answers the body of a request. Never rejects for what is in it. */
export async function addCheckpoint(
  parts: AddCheckpointParts,
  body: Uint8Array,
): Promise<AddCheckpointAnswer> {
  const { memory, logs, turns } = parts;
  if (!memory.isReliable) return STOPPED;
  try {
    const { checkpoint: note, ...claim } = parseAddCheckpoint(body);
    const { text, checkpoint, hasExtensions } = readSubmitted(note);
    const { origin } = checkpoint;
    const log = logs.find(origin);
    if (!log) return UNKNOWN_ORIGIN;
    const opened = { ...checkpoint, text, lines: openNote(note, log.verifiers).verified };
    if (hasExtensions && !isWholeSigned(log, opened.lines)) return UNSIGNED_TEXT;
    const last = await memory.read(hashOrigin(origin));
    if (!memory.isReliable) return STOPPED;
    const said = last && answerAsRecorded(parts, claim, opened, last);
    return said ?? (await turns.take(origin, () => advance(parts, log, claim, opened)));
  } catch (error) {
    if (error instanceof NewelError && error.code === 'storage_failed') return STOPPED;
    return refusalOf(error);
  }
}

/** While this runs, nobody else decides about the origin. */
async function advance(
  parts: AddCheckpointParts,
  log: KnownLog,
  claim: Claim,
  opened: Opened,
): Promise<AddCheckpointAnswer> {
  const { memory, cosigners, clock, budgets, forks, onSignal } = parts;
  if (!memory.isReliable) return STOPPED;
  const { origin, size, text } = opened;
  const originHash = hashOrigin(origin);
  const last = await memory.read(originHash);
  if (last) await forks.compare(log, last, opened);
  const refused = checkSuccessor(claim, opened, last);
  if (refused) return refused;
  const recorded = last?.size === size ? parseNote(last.note) : undefined;
  // Of two texts of one tree at least one has extension lines; without them it would be another text all the same.
  if (recorded && recorded.text !== text && !isWholeSigned(log, opened.lines)) return UNSIGNED_TEXT;
  const said = last && answerAsRecorded(parts, claim, opened, last);
  if (said) return said;
  const timeS = await cosigningTime(clock, { origin, lastS: last?.timeS ?? 1 }, onSignal);
  if (typeof timeS !== 'number') return timeS;
  const waitS = budgets.charge(log, recorded ? 'repeat' : 'growth');
  if (waitS > 0) return overBudget(waitS);
  const ours = await Promise.all(cosigners.map((cosigner) => cosigner.cosign(text, timeS)));
  const lines = recorded ? joinLines(log, recorded, opened) : opened.lines;
  await memory.record(originHash, { timeS, note: formatNote({ text, signatures: [...lines, ...ours] }) });
  onSignal({ event: 'cosigned', origin, size });
  return { status: 200, lines: formatSignatureLines(ours) };
}

/** Our lines as they are on the disk, where they are of this second and of this checkpoint: signing would say the same. */
function answerAsRecorded(
  { cosigners, clock }: AddCheckpointParts,
  claim: Claim,
  opened: Opened,
  last: Recorded,
): AddCheckpointAnswer | undefined {
  if (last.size !== opened.size || last.timeS !== Math.floor(clock.now() / 1000)) return undefined;
  if (checkSuccessor(claim, opened, last)) return undefined;
  const ours = recordedAnswer(parseNote(last.note), opened, cosigners);
  return ours && { status: 200, lines: formatSignatureLines(ours) };
}
