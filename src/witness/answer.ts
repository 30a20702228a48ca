/**
 * What a witness answers to `add-checkpoint` (C2SP tlog-witness), read as an adversary's:
 *
 *   200   signature lines            those by its known keys that verify over the exact text we sent
 *   409   text/x.tlog.size           "20852014" LF: the size that it has cosigned last
 *   422                              it refuses the proof
 *   else                             no answer
 */

import { equalBytes } from '../core/bytes.ts';
import { parseDecimal } from '../formats/decimal.ts';
import { type NoteSignature, parseSignatureLines, type Verifier } from '../formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { formatKeyId } from '../formats/vkey.ts';
import { NewelError } from '../errors.ts';
import type { Received } from './exchange.ts';

export type Answer =
  /** Verified, one a key, at least one. */
  | { readonly kind: 'lines'; readonly lines: readonly NoteSignature[] }
  | { readonly kind: 'size'; readonly size: number }
  /** 409, and no size as the spec has it. */
  | { readonly kind: 'sizeless' }
  /** 422 */
  | { readonly kind: 'refused' }
  /** Nothing that says anything. It may have recorded the head all the same. */
  | { readonly kind: 'none'; readonly why: string; readonly mayHaveRecorded: boolean };

const SIZE_TYPE = 'text/x.tlog.size';
/** Statuses with which a witness, or what stands before it, says that it has not looked at the head. */
const NOT_RECORDED: ReadonlySet<number> = new Set([400, 403, 404, 405, 411, 413, 415, 429]);

/** Reads an answer to the head of `text`. */
export function readAnswer(received: Received, text: string, verifiers: readonly Verifier[]): Answer {
  const { status, type, body } = received;
  if (status === 200) return readLines(body, text, verifiers);
  if (status === 409) return readSize(type, body);
  if (status === 422) return { kind: 'refused' };
  return { kind: 'none', why: `answers ${status}`, mayHaveRecorded: !NOT_RECORDED.has(status) };
}

function readLines(body: Uint8Array, text: string, verifiers: readonly Verifier[]): Answer {
  const known = new Map(verifiers.map((verifier) => [keyOf(verifier), verifier]));
  const message = encodeUtf8(text);
  const verified = new Map<string, NoteSignature>();
  let lines: NoteSignature[];
  try {
    lines = parseSignatureLines(decodeUtf8(body));
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return recorded('answers 200 without valid signature lines');
  }
  for (const line of lines) {
    const key = keyOf(line);
    const verifier = known.get(key);
    const earlier = verified.get(key);
    if (!verifier || (earlier && equalBytes(earlier.signature, line.signature))) continue;
    if (!verifier.verify(message, line.signature))
      return recorded('answers with a false signature by its own key');
    if (!earlier) verified.set(key, line);
  }
  if (verified.size === 0)
    return recorded('answers without a signature by a key that is known to be its own');
  return { kind: 'lines', lines: [...verified.values()] };
}

function readSize(type: string, body: Uint8Array): Answer {
  const [media = ''] = type.split(';', 1);
  if (media.trim().toLowerCase() !== SIZE_TYPE) return { kind: 'sizeless' };
  try {
    const text = decodeUtf8(body);
    return text.endsWith('\n')
      ? { kind: 'size', size: parseDecimal(text.slice(0, -1), 'size') }
      : { kind: 'sizeless' };
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return { kind: 'sizeless' };
  }
}

function recorded(why: string): Answer {
  return { kind: 'none', why, mayHaveRecorded: true };
}

/** What the spec calls the identity of a key. A key name holds no space. */
function keyOf({ name, keyId }: { readonly name: string; readonly keyId: number }): string {
  return `${name} ${formatKeyId(keyId)}`;
}
