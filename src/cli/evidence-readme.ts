/** `README.txt` of an evidence pack: what it is, how it is verified, and what it proves, for whoever is handed one. */

import type { EvidenceSummary } from '../client/evidence-manifest.ts';
import { formatCount, printable, shellQuote } from './terminal.ts';

export function formatReadme(
  { origin, audience, nonce, created_time: time, claims, travels_along: along, events }: EvidenceSummary,
  vkeys: readonly string[],
): string {
  const log = printable(origin);
  return `EVIDENCE PACK

${formatCount(events.length, 'event')} of the transparency log ${log},
shown in part to ${audience} (nonce ${nonce}),
made ${time}.

What is shown of each event, as far as it has it:
${list(claims)}
What travels along inside these:
${list(along)}
Open in every statement: the issuer, the log, the second in which the log received the event, its event_id, its
schema, and the public key of its holder where it has one. Everything else of the events is not in this pack: where
it was, there are random-looking digests, which say neither what is left out nor how much.


HOW TO VERIFY IT

Open verify.html in a browser, from this folder, without a network. Or, in the folder around this one:

  newel verify FOLDER --trust log.json          (a trust file that you have had from elsewhere)
  newel verify FOLDER                           (under log.json of the pack itself)

Both need no network. Add --audience ${shellQuote(audience)} --nonce ${shellQuote(nonce)} to have these compared too.

Whose word it is: log.json in this pack is the trust file of the log, with its keys. Whoever made the pack put it
there. Compare it once with what the operator of the log has published elsewhere:

${vkeys.map((vkey) => `  ${printable(vkey)}\n`).join('')}
The page, too, is part of the pack. If you do not trust whoever made the pack, use a newel of your own.

With other tools: a file in statements/ is an SD-JWT (RFC 9901), signed by a key of "jwks" in log.json; one in
presentations/ is a JWT by the same key, whose sd_hash is that of the statement. A file of proofs/ with the file
checkpoint behind it is a C2SP tlog-proof of the statement's leaf:

  cat proofs/EVENT_ID.path checkpoint > EVENT_ID.tlog-proof


WHAT IT PROVES

- The log ${log} says that it received each event in the second that its statement names, with the
  content that is shown. It signed that, and cannot take it back.
- Each event is an entry of the log. The entry is public, tells nothing about the event, and fits this one only.
- The log signed a list of entries (checkpoint) with all of these in it, and cannot change or remove one without
  contradicting that signature.
- The log presented exactly these claims, to this audience, under this nonce, at the time above.

WHAT IT DOES NOT PROVE

- That what the events say is true: the log vouches for what it was told, and when.
- That these are all events there are, or all that matter. Whoever chose them chose what is not here, too.
- Who holds the pack. It is made for ${audience}; anybody who has a copy can show it.
- Anything that manifest.json or this file says and the statements do not. The manifest lists the files, so that
  damage shows; it is not signed.
`;
}

const MAX_LINE_CHARS = 100;

/** Names behind commas, in lines. */
function list(names: readonly string[]): string {
  const lines: string[] = [];
  let line = ' ';
  for (const [i, name] of names.entries()) {
    const word = ` ${name}${i < names.length - 1 ? ',' : ''}`;
    if (line.length + word.length > MAX_LINE_CHARS) {
      lines.push(line);
      line = ' ';
    }
    line += word;
  }
  return [...lines, names.length === 0 ? '  (nothing)' : line].map((text) => `${text}\n`).join('');
}
