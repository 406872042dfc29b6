const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`;

export interface Base64 {
  /** RFC 4648 section 4, with padding. */
  encodeBase64(bytes: Uint8Array): string;
  /** RFC 4648 section 5, without padding. */
  encodeBase64url(bytes: Uint8Array): string;
  /** Undefined unless `text` is the one canonical, padded spelling of some bytes. */
  decodeBase64(text: string): Uint8Array | undefined;
  /** Undefined unless `text` is the one canonical, unpadded spelling of some bytes. */
  decodeBase64url(text: string): Uint8Array | undefined;
}

/** For code that also runs in a browser, where there is no Buffer: with it, the work is done by Node, several times as fast. */
export function base64With(native: typeof globalThis.Buffer | undefined): Base64 {
  return native === undefined ? PLAIN : nativeBase64(native);
}

const PLAIN: Base64 = {
  encodeBase64(bytes) {
    const text = encode(bytes, STANDARD);
    return text + '='.repeat((4 - (text.length % 4)) % 4);
  },
  encodeBase64url: (bytes) => encode(bytes, URL_SAFE),
  decodeBase64(text) {
    if (text.length % 4 !== 0) return undefined;
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
    return decode(text.slice(0, text.length - padding), STANDARD_VALUES);
  },
  decodeBase64url: (text) => decode(text, URL_SAFE_VALUES),
};

function nativeBase64(native: typeof globalThis.Buffer): Base64 {
  const encodeAs = (bytes: Uint8Array, encoding: 'base64' | 'base64url'): string =>
    native.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding);
  const decodeAs = (text: string, encoding: 'base64' | 'base64url'): Uint8Array | undefined => {
    const bytes = native.from(text, encoding);
    // Node reads what is malformed as well. A spelling is the canonical one just when it is what the bytes are written as.
    if (bytes.toString(encoding) !== text) return undefined;
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  return {
    encodeBase64: (bytes) => encodeAs(bytes, 'base64'),
    encodeBase64url: (bytes) => encodeAs(bytes, 'base64url'),
    decodeBase64: (text) => decodeAs(text, 'base64'),
    decodeBase64url: (text) => decodeAs(text, 'base64url'),
  };
}

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = '';
  let bits = 0;
  let pending = 0;
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += alphabet.charAt((pending >> bits) & 63);
    }
  }
  return bits === 0 ? text : text + alphabet.charAt((pending << (6 - bits)) & 63);
}

/** What a character that is none of the alphabet stands for: all bits of it are set, and stay so. */
const NONE = 0xff;

/** Values by byte. */
function valuesOf(alphabet: string): Uint8Array {
  const values = new Uint8Array(256).fill(NONE);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  return values;
}

const encoder = new TextEncoder();
/** The characters as bytes, which are read faster than a string is. One for all: decoding keeps nothing of it. */
let scratch = new Uint8Array(4_096);
const SCRATCH_KEPT = 65_536;

/** Four characters at a time: a puller decodes a thousand of them for every entry. */
function decode(text: string, values: Uint8Array): Uint8Array | undefined {
  const { length } = text;
  const rest = length % 4;
  if (rest === 1) return undefined;
  const source = length <= scratch.length ? scratch : new Uint8Array(length);
  if (length <= SCRATCH_KEPT) scratch = source;
  // What is not ASCII takes more bytes than it has characters, so that some are left over or written as such.
  if (encoder.encodeInto(text, source).read !== length) return undefined;
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  const valueAt = (i: number): number => values[source[i] as number] as number;
  let seen = 0;
  let end = 0;
  let at = 0;
  for (const whole = length - rest; at < whole; at += 4) {
    const a = values[source[at] as number] as number;
    const b = values[source[at + 1] as number] as number;
    const c = values[source[at + 2] as number] as number;
    const d = values[source[at + 3] as number] as number;
    seen |= a | b | c | d;
    bytes[end++] = (a << 2) | (b >> 4);
    bytes[end++] = (b << 4) | (c >> 2);
    bytes[end++] = (c << 6) | d;
  }
  if (rest === 0) return seen > 63 ? undefined : bytes;
  const [a, b, c] = [valueAt(at), valueAt(at + 1), rest === 3 ? valueAt(at + 2) : 0];
  seen |= a | b | c;
  bytes[end++] = (a << 2) | (b >> 4);
  if (rest === 3) bytes[end] = (b << 4) | (c >> 2);
  const unused = rest === 2 ? b & 0b1111 : c & 0b11;
  return seen > 63 || unused !== 0 ? undefined : bytes;
}

const STANDARD_VALUES = valuesOf(STANDARD);
const URL_SAFE_VALUES = valuesOf(URL_SAFE);

export const { encodeBase64, encodeBase64url, decodeBase64, decodeBase64url } = base64With(globalThis.Buffer);
