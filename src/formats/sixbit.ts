/**
 * Six bits a character, without padding: what base64 and base64url have in common. Each text has one spelling only (the
 * unused bits of the last character are zero). `Buffer` and `atob` take more than that, so neither is used.
 */

const decoder = new TextDecoder();

/** Room for most texts: an array of their own each would cost more than writing them. */
const scratch = new Uint8Array(8192);

/** The two ways between bytes and text in an alphabet of 64 ASCII characters. */
export interface SixBits {
  readonly format: (bytes: Uint8Array) => string;
  /** `undefined` for every text that `format` does not make. */
  readonly parse: (text: string) => Uint8Array | undefined;
}

export function sixBits(alphabet: string): SixBits {
  /** The ASCII code of each 6-bit value. */
  const codes = Uint8Array.from(alphabet, (char) => char.charCodeAt(0));
  /** The value of each ASCII character; 255 where it is not in the alphabet. */
  const values = new Uint8Array(128).fill(255);
  codes.forEach((code, value) => (values[code] = value));
  const valueAt = (text: string, index: number): number => values[text.charCodeAt(index)] ?? 255;
  return {
    format(bytes) {
      const length = Math.ceil((bytes.length * 4) / 3);
      const out = length <= scratch.length ? scratch : new Uint8Array(length);
      const rest = bytes.length % 3;
      const whole = bytes.length - rest;
      let at = 0;
      for (let i = 0; i < whole; i += 3) {
        const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
        out[at++] = codes[group >> 18]!;
        out[at++] = codes[(group >> 12) & 63]!;
        out[at++] = codes[(group >> 6) & 63]!;
        out[at++] = codes[group & 63]!;
      }
      if (rest > 0) {
        const group = (bytes[whole]! << 10) | (rest === 2 ? bytes[whole + 1]! << 2 : 0);
        out[at++] = codes[group >> 12]!;
        out[at++] = codes[(group >> 6) & 63]!;
        if (rest === 2) out[at] = codes[group & 63]!;
      }
      return decoder.decode(out.subarray(0, length));
    },
    parse(text) {
      const rest = text.length % 4;
      if (rest === 1) return undefined;
      const whole = text.length - rest;
      const out = new Uint8Array((whole / 4) * 3 + (rest === 0 ? 0 : rest - 1));
      let at = 0;
      for (let i = 0; i < whole; i += 4) {
        const a = valueAt(text, i);
        const b = valueAt(text, i + 1);
        const c = valueAt(text, i + 2);
        const d = valueAt(text, i + 3);
        if ((a | b | c | d) > 63) return undefined;
        out[at++] = (a << 2) | (b >> 4);
        out[at++] = (b << 4) | (c >> 2);
        out[at++] = (c << 6) | d;
      }
      if (rest > 0) {
        const a = valueAt(text, whole);
        const b = valueAt(text, whole + 1);
        const c = rest === 3 ? valueAt(text, whole + 2) : 0;
        const unused = rest === 3 ? c & 3 : b & 15;
        if ((a | b | c) > 63 || unused !== 0) return undefined;
        out[at++] = (a << 2) | (b >> 4);
        if (rest === 3) out[at] = (b << 4) | (c >> 2);
      }
      return out;
    },
  };
}
