// SHA-256 (FIPS 180-4) in plain TypeScript. WebCrypto's digest is asynchronous, and a Merkle tree of ten thousand leaves
// must not be twenty thousand promises. About 100 MB/s; Node programs can pass node:crypto's hash instead.

const FRACTIONS = 2 ** 32;

/** The first `count` primes. */
function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}

/** The first 32 bits of the fractional part. */
function fraction(x: number): number {
  return ((x - Math.floor(x)) * FRACTIONS) | 0;
}

/** FIPS 180-4, 4.2.2: cube roots of the first 64 primes. A double carries 52 bits, of which these need at most 35. */
const ROUND = Int32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)));
/** FIPS 180-4, 5.3.3: square roots of the first 8 primes. */
const INITIAL = Int32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)));

const BLOCK = 64;

/** The SHA-256 digest, 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  const state = Int32Array.from(INITIAL);
  const schedule = new Int32Array(64);
  const whole = data.length - (data.length % BLOCK);
  for (let at = 0; at < whole; at += BLOCK) compress(state, schedule, data, at);
  const tail = padded(data, whole);
  for (let at = 0; at < tail.length; at += BLOCK) compress(state, schedule, tail, at);
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  state.forEach((word, i) => {
    view.setInt32(i * 4, word);
  });
  return digest;
}

/** The last, incomplete block with 0x80, zeros and the length in bits. */
function padded(data: Uint8Array, from: number): Uint8Array {
  const rest = data.length - from;
  const tail = new Uint8Array(rest + 9 <= BLOCK ? BLOCK : 2 * BLOCK);
  tail.set(data.subarray(from));
  tail[rest] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(tail.length - 4, (data.length * 8) >>> 0);
  return tail;
}

/** One round of FIPS 180-4, 6.2.2. Indexes are in range by construction; `as number` tells the compiler so. */
function compress(state: Int32Array, w: Int32Array, block: Uint8Array, at: number): void {
  for (let t = 0; t < 16; t++) {
    const i = at + t * 4;
    w[t] =
      ((block[i] as number) << 24) |
      ((block[i + 1] as number) << 16) |
      ((block[i + 2] as number) << 8) |
      (block[i + 3] as number);
  }
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15] as number;
    const y = w[t - 2] as number;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = ((w[t - 16] as number) + s0 + (w[t - 7] as number) + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let t = 0; t < 64; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUND[t] as number) + (w[t] as number)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] = (state[i] as number) + word;
  });
}
