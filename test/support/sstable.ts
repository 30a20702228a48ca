/**
 * LevelDB's table files, taken apart: what is in them, whether it is current or was overwritten long ago.
 *
 *   data blocks · index block (last key of each data block → where it is) · footer 48
 *   block     entries: shared, unshared, value length (varints) · rest of the key · value; then restarts
 *             behind it one byte (0 plain, 1 Snappy) and a checksum of 4
 *   key       the user's ‖ 8 bytes of sequence and kind
 */

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
const INTERNAL_BYTES = 8;

export interface TableEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** All entries of a table file. */
export function parseTable(file: Buffer): TableEntry[] {
  const footer = new Varints(file.subarray(-FOOTER_BYTES));
  footer.next();
  footer.next();
  const index = blockAt(file, footer.next(), footer.next());
  return entriesOf(index).flatMap(({ value }) => {
    const handle = new Varints(value);
    return entriesOf(blockAt(file, handle.next(), handle.next())).map((entry) => ({
      key: entry.key.subarray(0, -INTERNAL_BYTES),
      value: entry.value,
    }));
  });
}

function blockAt(file: Buffer, offset: number, size: number): Buffer {
  const block = file.subarray(offset, offset + size);
  if (offset + size + TRAILER_BYTES > file.length) throw new Error('a block is outside of its table');
  const kind = file[offset + size];
  if (kind === 0) return block;
  if (kind === 1) return unsnap(block);
  throw new Error('a block is compressed in a way that is not known here');
}

function entriesOf(block: Buffer): { key: Buffer; value: Buffer }[] {
  const end = block.length - 4 * (block.readUInt32LE(block.length - 4) + 1);
  const varints = new Varints(block);
  const entries: { key: Buffer; value: Buffer }[] = [];
  let last = Buffer.alloc(0);
  while (varints.at < end) {
    const [shared, unshared, length] = [varints.next(), varints.next(), varints.next()];
    const key = Buffer.concat([last.subarray(0, shared), varints.take(unshared)]);
    entries.push({ key, value: Buffer.from(varints.take(length)) });
    last = key;
  }
  return entries;
}

/** Snappy's block format. */
function unsnap(packed: Buffer): Buffer {
  const varints = new Varints(packed);
  const out = Buffer.alloc(varints.next());
  let at = 0;
  while (varints.at < packed.length) {
    const tag = packed[varints.at++]!;
    if ((tag & 3) === 0) {
      const short = tag >> 2;
      const length = short < 60 ? short + 1 : varints.integer(short - 59) + 1;
      at += Buffer.from(varints.take(length)).copy(out, at);
      continue;
    }
    const isNear = (tag & 3) === 1;
    const length = isNear ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const offset = isNear
      ? ((tag >> 5) << 8) | packed[varints.at++]!
      : varints.integer((tag & 3) === 2 ? 2 : 4);
    // Byte by byte: what is copied may be what was just written.
    for (let i = 0; i < length; i++, at++) out[at] = out[at - offset]!;
  }
  return out;
}

class Varints {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  take(length: number): Uint8Array {
    return this.#bytes.subarray(this.at, (this.at += length));
  }

  integer(bytes: number): number {
    return Buffer.from(this.take(bytes)).readUIntLE(0, bytes);
  }
}
