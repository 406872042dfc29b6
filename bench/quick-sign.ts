import { createECDH, hash } from 'node:crypto';
import type { CorpusKey } from './keys.ts';

/** The order of P-256 (FIPS 186-4, D.1.2.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const SCALAR_BYTES = 32;

/** One nonce for everything that is signed here, its inverse, and the x of its point. */
const NONCE = BigInt(`0x${hash('sha256', 'shenbao quick signatures')}`) % ORDER;
const INVERSE = power(NONCE, ORDER - 2n);
const R = Buffer.from(pointOf(NONCE).subarray(1, 1 + SCALAR_BYTES));
const R_SCALAR = BigInt(`0x${R.toString('hex')}`) % ORDER;

/**
 * Signs ES256 without the multiplication of a point, which is most of the cost of a signature: the nonce is always the same.
 * Such signatures are valid, and give the private key away: only for keys that anybody can compute from a seed.
 */
export class QuickSigner {
  readonly #header: string;
  /** r times the private key. */
  readonly #rd: bigint;
  readonly #signature = Buffer.alloc(2 * SCALAR_BYTES);

  constructor(key: CorpusKey, issuer: string) {
    const header = JSON.stringify({ alg: 'ES256', kid: key.kid, typ: 'filing+jws', aud: issuer });
    this.#header = Buffer.from(header).toString('base64url');
    this.#rd = (R_SCALAR * BigInt(`0x${Buffer.from(key.d, 'base64url').toString('hex')}`)) % ORDER;
    R.copy(this.#signature);
  }

  /** A compact JWS over the bytes: the same ones each time. */
  sign(payload: Buffer): string {
    const input = `${this.#header}.${payload.toString('base64url')}`;
    const s = (INVERSE * (BigInt(`0x${hash('sha256', input)}`) + this.#rd)) % ORDER;
    this.#signature.write(s.toString(16).padStart(2 * SCALAR_BYTES, '0'), SCALAR_BYTES, 'hex');
    return `${input}.${this.#signature.toString('base64url')}`;
  }
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base, left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % ORDER;
    square = (square * square) % ORDER;
  }
  return result;
}

/** Uncompressed. */
function pointOf(scalar: bigint): Buffer {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(Buffer.from(scalar.toString(16).padStart(2 * SCALAR_BYTES, '0'), 'hex'));
  return ecdh.getPublicKey();
}
