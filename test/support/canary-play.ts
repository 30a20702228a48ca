/** All that is done with a log before it is searched for canaries, one scene after the other. */

import assert from 'node:assert/strict';
import { makeEvidenceFiles } from '../../src/cli/evidence-files.ts';
import { parseDisclosure } from '../../src/client/disclosure.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { playBatches } from './canary-batches.ts';
import { canaryEvent, canaryFlatEvent, EVENT_TYPES } from './canary-events.ts';
import { type Evidence, evidenceOf, inParallel } from './canary-evidence.ts';
import { findingRequests } from './canary-queries.ts';
import {
  type CanaryIssuer,
  playCallers,
  playErasures,
  playFlood,
  playMismatch,
  playRedactedSecrets,
  playRefusedSecrets,
  playSequences,
  readOwnEvents,
  subjectOf,
} from './canary-scenes.ts';
import {
  ask,
  askFor,
  getting,
  posting,
  type Stage,
  submitAndRead,
  type Taken,
  textOf,
} from './canary-stage.ts';
import { packScript } from './evidence.ts';
import { exchange } from './http-target.ts';
import { SLOW } from './slow.ts';
import { brokenRequests, otherRequests, WRONG_NAMES, wrongSubmission } from './wrong-requests.ts';

/** Events of each type: one with every member, the others with some. */
const EVENTS_PER_TYPE = SLOW ? 30 : 6;
const FLAT_EVENTS = SLOW ? 400 : 50;
/** Wrong requests that are made of each event. */
const WRONG_PER_EVENT = SLOW ? 12 : 4;
/** Subjects, and single events, that are erased. */
export const ERASED = 12;
/** The grace of gaps, and the time between two looks at them. */
const MAX_GAP_MS = 45_000;

/** Sends events of every type and all that is wrong, and returns the events that were taken. */
async function playEvents(stage: Stage): Promise<Taken[]> {
  const { maker, tokens, sources } = stage;
  const types = EVENT_TYPES.flatMap((type) =>
    Array.from({ length: EVENTS_PER_TYPE }, (_, i) => ({ type, isWhole: i === 0 })),
  );
  const events = [
    ...types.map((options) => canaryEvent(maker, { ...options, source: maker.one(sources.submit) })),
    // A flat event is of the first source of its token.
    ...Array.from({ length: FLAT_EVENTS }, (_, i) =>
      canaryFlatEvent(maker, { isWhole: i % 2 === 0, source: sources.submit[0]! }),
    ),
  ];
  const taken: Taken[] = [];
  let wrong = 0;
  await inParallel(events, async (made, index) => {
    for (let i = 0; i < WRONG_PER_EVENT; i++) {
      const what = WRONG_NAMES[wrong++ % WRONG_NAMES.length]!;
      await askFor(stage, wrongSubmission(what, made.event, maker, tokens.submit));
    }
    taken.push(await submitAndRead(stage, made, { index }));
  });
  for (const one of otherRequests(maker, tokens, events[0]!.event)) await askFor(stage, one);
  for (const one of findingRequests(maker, tokens)) {
    const answer = await askFor(stage, one);
    // What finds nothing has nothing that is for its bearer alone.
    if (answer.status === 200) stage.shown.push(evidenceOf('what finds nothing', answer));
  }
  for (const request of brokenRequests(maker)) {
    const answer = await exchange(stage.port, Buffer.from(request, 'latin1'));
    assert.match(answer.toString('latin1'), /^HTTP\/1\.1 [24]/);
    stage.shown.push({ where: `answer to ${request.slice(0, 20)}`, bytes: answer });
  }
  return taken;
}

/** What was taken, what of it is gone, and what was made of it. */
export interface Played {
  readonly taken: readonly Taken[];
  readonly redacted: readonly Taken[];
  readonly erased: readonly Taken[];
  /** The files of an evidence pack under the preset of auditors. */
  readonly pack: readonly Evidence[];
  /** Cursors of lists, which go on in URLs. */
  readonly cursors: readonly Evidence[];
}

export async function play(stage: Stage, issuer: CanaryIssuer): Promise<Played> {
  const { sources } = stage;
  const numbered = await playSequences(stage);
  const [called, events] = await Promise.all([playCallers(stage, issuer), playEvents(stage)]);
  const mismatched = await playMismatch(stage);
  await playBatches(stage, sources.submit[0]!);
  await playRefusedSecrets(stage);
  const redacted = await playRedactedSecrets(stage);
  await playFlood(stage);
  const pack = await makePack(stage, [...mismatched, ...events]);
  const cursors = await readCursors(stage, events);
  const people = events.filter(({ event }) => subjectOf(event)).slice(0, ERASED);
  const others = events.filter((one) => !people.includes(one));
  const [single, kept] = [others.slice(0, ERASED), others.at(-1)!];
  await playErasures(stage, { people, single, kept });
  await gapsAreSaid(stage);
  const taken = [...numbered, ...called, ...mismatched, ...events];
  return { taken, redacted, erased: [...people, ...single], pack, cursors };
}

/** Resolves when the log has said that numbers are missing, and that some came again. */
async function gapsAreSaid(stage: Stage): Promise<void> {
  for (const endMs = performance.now() + MAX_GAP_MS; performance.now() < endMs;) {
    const kinds = new Set((await readOwnEvents(stage)).map(kindOfGap));
    if (kinds.has('gap') && kinds.has('fork')) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert.fail('the log does not say that numbers are missing');
}

function kindOfGap({ event }: JsonObject): unknown {
  const { ext } = event as { ext?: Record<string, JsonObject> };
  return ext?.['newel:gap']?.['kind'];
}

/** What an auditor gets of events: the files of a pack. */
async function makePack(stage: Stage, taken: readonly Taken[]): Promise<Evidence[]> {
  const body = {
    event_ids: taken.map(({ eventId }) => eventId),
    preset: 'auditor',
    audience: 'auditor.example',
    nonce: 'n-1',
  };
  const request = posting('/v1/disclosures', stage.tokens.submit, body);
  const answer = await askFor(stage, { request, status: 200 });
  const trustFile = textOf(await ask(stage, getting('/v1/log')));
  const files = await makeEvidenceFiles({
    disclosure: parseDisclosure(answer.body),
    trustFile,
    vkeys: (JSON.parse(trustFile) as { vkeys: string[] }).vkeys,
    script: await packScript(),
  });
  return [...files].map(([name, bytes]) => ({ where: `pack ${name}`, bytes }));
}

async function readCursors(stage: Stage, taken: readonly Taken[]): Promise<Evidence[]> {
  const { audit } = stage.tokens;
  const asked = taken.slice(0, 50).flatMap(({ event }): JsonObject[] => {
    const subject = subjectOf(event);
    return [
      ...(subject === undefined ? [] : [{ subject, limit: 1 }]),
      ...(typeof event['source'] === 'string' ? [{ source: event['source'], limit: 1 }] : []),
    ];
  });
  const cursors: Evidence[] = [];
  for (const body of asked) {
    const found = await askFor(stage, { request: posting('/v1/events/search', audit, body), status: 200 });
    const { next } = JSON.parse(textOf(found)) as { next: string | null };
    if (next !== null) cursors.push({ where: 'cursor', bytes: Buffer.from(next, 'base64url') });
  }
  return cursors;
}
