/**
 * Reads the answers on one keep-alive connection, one at a time, in the cheapest way that is still right: a head that
 * is byte for byte the last one is not parsed again. Whatever the servers under test do not send (chunks, an answer
 * without a length, two answers to one request, an announced end of the connection) is an error, not a number.
 */

export interface Answer {
  readonly status: number;
  /** A view that is valid until the reader takes more. */
  readonly body: Buffer;
}

interface Head {
  readonly bytes: Buffer;
  readonly status: number;
  readonly bodyBytes: number;
}

const HEAD_END = '\r\n\r\n';
const MAX_HEAD_BYTES = 16 * 1024;
const STATUS_LINE = /^HTTP\/1\.1 ([2-5][0-9][0-9])(?: |$)/;

export class AnswerReader {
  #head: Head | undefined;
  /** The beginning of an answer that came in pieces, in a buffer that only grows. */
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;

  /** The answer that these bytes complete, or `undefined` while it is not whole. Throws for anything but one answer. */
  take(chunk: Buffer): Answer | undefined {
    const bytes = this.#heldBytes === 0 ? chunk : this.#hold(chunk);
    const head = this.#readHead(bytes);
    if (head) {
      const length = head.bytes.length + head.bodyBytes;
      if (bytes.length > length) throw new Error('there is more than one answer to one request');
      if (bytes.length === length) {
        this.#heldBytes = 0;
        return { status: head.status, body: bytes.subarray(head.bytes.length) };
      }
    }
    if (this.#heldBytes === 0) this.#hold(chunk);
    return undefined;
  }

  #hold(chunk: Buffer): Buffer {
    const length = this.#heldBytes + chunk.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafe(2 * length);
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    chunk.copy(this.#held, this.#heldBytes);
    this.#heldBytes = length;
    return this.#held.subarray(0, length);
  }

  #readHead(bytes: Buffer): Head | undefined {
    const last = this.#head;
    if (last && bytes.length >= last.bytes.length && last.bytes.compare(bytes, 0, last.bytes.length) === 0) {
      return last;
    }
    const end = bytes.indexOf(HEAD_END);
    if (end === -1) {
      if (bytes.length > MAX_HEAD_BYTES)
        throw new Error(`the answer has a head of over ${MAX_HEAD_BYTES} bytes`);
      return undefined;
    }
    this.#head = parseHead(Buffer.from(bytes.subarray(0, end + HEAD_END.length)));
    return this.#head;
  }
}

function parseHead(bytes: Buffer): Head {
  const [statusLine = '', ...lines] = bytes.toString('latin1').slice(0, -HEAD_END.length).split('\r\n');
  const status = Number(STATUS_LINE.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`not a final HTTP/1.1 answer: ${statusLine}`);
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (colon < 1 || fields.has(name)) throw new Error(`not a header, or one that came before: ${line}`);
    fields.set(name, line.slice(colon + 1).trim());
  }
  if (fields.get('connection')?.toLowerCase() === 'close') throw new Error('the server ends the connection');
  if (fields.has('transfer-encoding')) throw new Error('the answer has no length: it comes in chunks');
  if (status === 204 || status === 304) return { bytes, status, bodyBytes: 0 };
  const length = fields.get('content-length');
  if (length === undefined || !/^[0-9]{1,9}$/.test(length)) throw new Error('the answer has no length');
  return { bytes, status, bodyBytes: Number(length) };
}
