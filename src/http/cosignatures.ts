/**
 * `POST /v1/cosignatures`: a witness that reads `/checkpoint` by itself, and is not asked, hands in its line. The body is
 * the checkpoint as it was published, with the line under it, and whatever other lines.
 *
 *   log.example/bank
 *   42
 *   CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 *
 *   — witness.example/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9…
 *
 * A line counts only by a key of the policies, over the very text of a checkpoint that is kept: a false line is refused
 * before anything is stored, and displaces none. What is shown already was verified when it came, and costs nothing.
 */

import type { Context, Hono } from 'hono';
import { NewelError } from '../errors.ts';
import { parseCheckpoint } from '../formats/checkpoint.ts';
import {
  formatNote,
  formatSignatureLines,
  MAX_NOTE_BYTES,
  type NoteSignature,
  openNote,
  parseNote,
  type Verifier,
} from '../formats/note.ts';
import { ownHeadsOf } from './heads.ts';
import type { Level } from './level.ts';
import { clientNetworkOf, PublicRate } from './public-rate.ts';
import { respondJson } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { queryOf } from './target.ts';
import { UploadRoom, type UploadRoomLimits, UploadsFullError } from './upload-room.ts';

/** A network's bodies have a quarter of the places, and of the bytes. */
const BODIES: UploadRoomLimits = {
  maxRequests: 64,
  maxRequestsEach: 16,
  maxBytes: 16 * 2 ** 20,
  maxWaiting: 256,
  maxWaitingEach: 64,
  maxBodyBytes: MAX_NOTE_BYTES,
};
/** Of one network, and of all together: bodies to read, then lines to verify. A false one of type 0x06 takes 3 ms. */
const READ_PER_SECOND = { each: 20, all: 200 };
const VERIFIED_PER_SECOND = { each: 5, all: 100 };

interface Bounds {
  readonly room: UploadRoom;
  readonly reading: PublicRate;
  readonly verifying: PublicRate;
}

export function addCosignatureRoute(app: Hono, site: Site): void {
  const bounds: Bounds = {
    room: new UploadRoom(BODIES),
    reading: new PublicRate(READ_PER_SECOND, 'cosignatures'),
    verifying: new PublicRate(VERIFIED_PER_SECOND, 'cosignatures'),
  };
  addRoute(app, site, '/v1/cosignatures', (c) => take(c, site, bounds), {
    method: 'POST',
    isPublic: true,
  });
}

async function take(c: Context, site: Site, { room, reading, verifying }: Bounds): Promise<Response> {
  queryOf(c, []);
  const witnesses = (site.otherVerifiers ?? []).filter(({ name }) => name !== site.log.identity.origin);
  if (witnesses.length === 0)
    throw new NewelError('no_witnesses', 'the policies of this log name no witnesses');
  const network = clientNetworkOf(c);
  const added = await room.run(c, (body) => {
    reading.take(network);
    return add(body, site, witnesses, (lines) => verifying.take(network, lines));
  });
  if (!added) throw new UploadsFullError(BODIES.maxRequests);
  return respondJson(c, added, 'none');
}

interface Added {
  readonly tree_size: number;
  readonly level: Level;
  /** By whom the checkpoint has a line, of those whose lines were handed in. */
  readonly cosigners: readonly string[];
}

/** `charge` is told how many lines are about to be verified, and may refuse. */
async function add(
  body: Uint8Array,
  site: Site,
  witnesses: readonly Verifier[],
  charge: (lines: number) => void,
): Promise<Added> {
  const { text, signatures } = parseNote(body);
  const { origin, size } = parseCheckpoint(text);
  if (origin !== site.log.identity.origin)
    throw new NewelError('not_found', 'the checkpoint is of another log');
  const kept = await readKept(site, size, text);
  const keys = new Set(witnesses.map(keyOf));
  const handed = signatures.filter((line) => keys.has(keyOf(line)));
  if (handed.length === 0)
    throw new NewelError('forbidden', 'there is no line by a witness that the policies of this log name');
  const shown = shownLines(site, kept);
  // Of each key the last: who has collected many has no more of them verified.
  const lines = new Map(handed.filter((line) => !shown.has(textOf(line))).map((line) => [keyOf(line), line]));
  if (lines.size > 0) {
    charge(lines.size);
    await site.log.addLines(size, openLines(text, [...lines.values()], witnesses));
  }
  const now = lines.size > 0 ? await readKept(site, size, text) : kept;
  const stored = new Set(parseNote(now).signatures.map(keyOf));
  const cosigners = new Set(handed.filter((line) => stored.has(keyOf(line))).map(({ name }) => name));
  if (cosigners.size === 0)
    throw new NewelError('malformed', 'no line is taken: their times are more than five minutes ahead');
  return { tree_size: size, level: ownHeadsOf(site).open(now).level, cosigners: [...cosigners] };
}

/** The kept checkpoint of that size and text. Throws `not_found`. */
async function readKept({ log }: Site, size: number, text: string): Promise<Uint8Array> {
  const kept = size <= log.published.size ? await log.keptCheckpoint(size) : undefined;
  if (kept && parseNote(kept.checkpoint).text === text) return kept.checkpoint;
  throw new NewelError(
    'not_found',
    'no checkpoint of that text is kept: it was not published, or is one of many of its minute',
  );
}

/** Lines that were verified over that text when they came: those that are kept, and those that are served. */
function shownLines({ log }: Site, kept: Uint8Array): ReadonlySet<string> {
  const { text } = parseNote(kept);
  const served = (['fast', 'public'] as const).flatMap((slot) => log.publication(slot)?.checkpoint ?? []);
  const notes = [kept, ...served].map(parseNote).filter((note) => note.text === text);
  return new Set(notes.flatMap(({ signatures }) => signatures.map(textOf)));
}

/** The lines, verified. Throws `malformed` where one is false. */
function openLines(
  text: string,
  signatures: readonly NoteSignature[],
  witnesses: readonly Verifier[],
): readonly NoteSignature[] {
  try {
    return openNote(formatNote({ text, signatures }), witnesses).verified;
  } catch (cause) {
    if (!(cause instanceof NewelError) || cause.code !== 'signature_invalid') throw cause;
    throw new NewelError('malformed', 'a line in the name of a witness is not by its key', { cause });
  }
}

function keyOf({ name, keyId }: { readonly name: string; readonly keyId: number }): string {
  return `${name} ${keyId}`;
}

function textOf(line: NoteSignature): string {
  return formatSignatureLines([line]);
}
