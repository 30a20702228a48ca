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
 * before anything is stored, and displaces none.
 */

import type { Context, Hono } from 'hono';
import { NewelError } from '../errors.ts';
import { parseCheckpoint } from '../formats/checkpoint.ts';
import { openNote, parseNote } from '../formats/note.ts';
import { readBody } from './body.ts';
import { ownHeadsOf } from './heads.ts';
import { clientNetworkOf, PublicRate } from './public-rate.ts';
import { respondJson } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { queryOf } from './target.ts';

/** Room for a line of each key of a dozen witnesses, ML-DSA-44 ones too. */
const MAX_BYTES: number = 64 * 1024;
/** Of one network, and of all together: a body to read, then the signatures to verify. */
const READ_PER_SECOND = { each: 20, all: 200 };
const VERIFIED_PER_SECOND = { each: 5, all: 50 };

interface Rates {
  readonly reading: PublicRate;
  readonly verifying: PublicRate;
}

export function addCosignatureRoute(app: Hono, site: Site): void {
  const rates: Rates = {
    reading: new PublicRate(READ_PER_SECOND, 'cosignatures'),
    verifying: new PublicRate(VERIFIED_PER_SECOND, 'cosignatures'),
  };
  addRoute(app, site, '/v1/cosignatures', (c) => take(c, site, rates), {
    method: 'POST',
    isPublic: true,
  });
}

async function take(c: Context, site: Site, rates: Rates): Promise<Response> {
  queryOf(c, []);
  const { log, otherVerifiers = [] } = site;
  const { origin } = log.identity;
  const witnesses = otherVerifiers.filter(({ name }) => name !== origin);
  if (witnesses.length === 0)
    throw new NewelError('no_witnesses', 'the policies of this log name no witnesses');
  rates.reading.take(clientNetworkOf(c));
  const body = await readBody(c, MAX_BYTES);
  const { text } = parseNote(body);
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== origin) throw new NewelError('not_found', 'the checkpoint is of another log');
  const { size } = checkpoint;
  const kept = size <= log.published.size ? await log.keptCheckpoint(size) : undefined;
  if (!kept || parseNote(kept.checkpoint).text !== text) {
    throw new NewelError(
      'not_found',
      'no checkpoint of that text is kept: it was not published, or is one of many of its minute',
    );
  }
  rates.verifying.take(clientNetworkOf(c));
  const lines = openLines(body, witnesses);
  await log.addLines(size, lines);
  const now = await log.keptCheckpoint(size);
  const { level } = ownHeadsOf(site).open((now ?? kept).checkpoint);
  const cosigners = [...new Set(lines.map(({ name }) => name))];
  return respondJson(c, { tree_size: size, level, cosigners }, 'none');
}

/** The lines by witnesses, verified. Throws `forbidden` where there is none, `malformed` where one is false. */
function openLines(
  body: Uint8Array,
  witnesses: Parameters<typeof openNote>[1],
): ReturnType<typeof openNote>['verified'] {
  try {
    return openNote(body, witnesses).verified;
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    if (cause.code === 'signer_unknown') {
      throw new NewelError('forbidden', 'there is no line by a witness that the policies of this log name', {
        cause,
      });
    }
    if (cause.code === 'signature_invalid') {
      throw new NewelError('malformed', 'a line in the name of a witness is not by its key', { cause });
    }
    throw cause;
  }
}
