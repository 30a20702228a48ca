/**
 * What the witnesses' lines of a receipt say, in words:
 *
 *   2 of 2 needed by the policy, by 2026-11-20 12:00:09 UTC: witness.example/a, witness.example/b
 *
 * The time is the earliest by which enough of them had signed, by their own clocks. It bounds from above when the event was
 * in the log, so that much later than the log's own time is worth a look. Where too few have signed, and the receipt says
 * that more were asked for, so do the words: that a receipt holds is not to be taken for that.
 */

import { isQuorumMet, type PolicyWitness, witnessOf } from '../formats/tlog-policy.ts';
import { KEY_TYPE } from '../formats/vkey.ts';
import { type Findings, hasFailed } from './receipt-checks.ts';
import type { Check } from './report.ts';
import { formatSpan, formatUtc } from './time-words.ts';

/** Further apart than this, the witnesses' time and the log's are said to be so, in seconds. */
const MAX_WITNESS_LAG_S = 300;

/** The check of the witnesses. */
export function checkOfWitnesses(findings: Findings): Check {
  const { witnesses, isTrue, found } = findings;
  const name = 'witnesses';
  if (!isTrue) return { name, result: 'skipped', detail: witnesses.error?.message ?? '' };
  const { level, have, need, cosigners, witnessedTimeS } = found;
  const note = `level: ${level}`;
  if (witnesses.error?.code === 'no_witnesses')
    return { name, result: 'failed', detail: witnesses.error.message, note };
  const time = witnessedTimeS === undefined ? '' : `, by ${formatUtc(witnessedTimeS)}`;
  const names = cosigners.length === 0 ? '' : `: ${cosigners.join(', ')}`;
  const open = uncheckedWords(findings);
  const warning = level === 'witnessed' ? lagWords(findings) : pendingWords(findings);
  // What was not checked is not called false.
  const unmet = hasFailed(witnesses) && open === '' ? 'failed' : 'skipped';
  return {
    name,
    result: level === 'witnessed' ? 'ok' : unmet,
    detail: `${have} of ${need} needed by the policy${time}${names}${open}`,
    note,
    ...(warning !== undefined && { warning }),
  };
}

/** Witnesses of the policy whose lines are there, of a kind that was not given the means to be checked. */
export function uncheckedWitnesses({ note, trust }: Findings): readonly PolicyWitness[] {
  if (trust.mldsa44) return [];
  const found = (note.value?.signatures ?? []).map((line) => witnessOf(trust.policy, line));
  return [...new Set(found)].filter((witness) => witness?.vkey.type === KEY_TYPE.mldsa44) as PolicyWitness[];
}

function uncheckedWords(findings: Findings): string {
  const unchecked = uncheckedWitnesses(findings);
  if (unchecked.length === 0) return '';
  const words = `; not checked here, being ML-DSA-44: ${unchecked.map(({ vkey }) => vkey.name).join(', ')}`;
  const { found, checkpoint, trust } = findings;
  if (found.level === 'witnessed') return words;
  const signed = (checkpoint.value?.signatures ?? []).flatMap((line) => witnessOf(trust.policy, line) ?? []);
  const counted = new Set([...signed, ...unchecked].map(({ name }) => name));
  return isQuorumMet(trust.policy, counted)
    ? `${words}. With them the policy would be met: newel verify checks them`
    : words;
}

/** What the log may have said of why; any other word is not repeated. */
const REASONS: readonly string[] = ['deadline', 'witnesses_unreachable', 'policy_differs'];

function pendingWords({ receipt: { pending }, found: { need } }: Findings): string | undefined {
  if (need === 0 || pending?.['level'] !== 'witnessed') return undefined;
  const reason = REASONS.find((known) => known === pending['reason']);
  const why = reason === undefined ? '' : ` (${reason})`;
  return `witnessed was asked for, and is not reached${why}: newel receipt upgrade fetches the missing lines`;
}

function lagWords({ found: { witnessedTimeS }, statement }: Findings): string | undefined {
  const receivedTimeS = statement.value?.receivedTimeS;
  if (witnessedTimeS === undefined || receivedTimeS === undefined) return undefined;
  const lagS = witnessedTimeS - receivedTimeS;
  if (Math.abs(lagS) <= MAX_WITNESS_LAG_S) return undefined;
  const said = 'the log says that it received the event';
  return lagS > 0
    ? `the witnesses had signed ${formatSpan(lagS)} after ${said}: until then it is the word of the log alone`
    : `the witnesses had signed ${formatSpan(-lagS)} before ${said}: a clock is wrong, theirs or that of the log`;
}
