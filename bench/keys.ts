import { createECDH, createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';

/** A P-256 key pair as a JWK, private. */
export interface CorpusKey {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly d: string;
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  readonly alg: 'ES256';
}

/** The order of P-256 (FIPS 186-4, D.1.2.3). */
const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');

/** The key number `index` of a seed. As secret as the seed is. */
export function makeKey(seed: string, index: number): CorpusKey {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalarOf(`shenbao corpus key\0${seed}\0${index}`));
  const point = ecdh.getPublicKey();
  const x = point.subarray(1, 33).toString('base64url');
  const y = point.subarray(33, 65).toString('base64url');
  // A private key with leading zeros comes back shorter; JWK wants its full length.
  const d = Buffer.from(ecdh.getPrivateKey('hex').padStart(64, '0'), 'hex').toString('base64url');
  return { kty: 'EC', crv: 'P-256', x, y, d, kid: thumbprintOf(x, y), alg: 'ES256' };
}

/** RFC 7638, written out since a corpus needs it ten thousand times. */
function thumbprintOf(x: string, y: string): string {
  return createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url');
}

/** Between 1 and the order - 1; a second try is needed once in 2^32 times. */
function scalarOf(text: string): Buffer {
  for (let attempt = 0; ; attempt++) {
    const scalar = createHash('sha256').update(`${text}\0${attempt}`).digest();
    if (scalar.some((byte) => byte !== 0) && scalar.compare(ORDER) < 0) return scalar;
  }
}

export function publicHalf({ kty, crv, x, y, kid, alg }: CorpusKey): Omit<CorpusKey, 'd'> {
  return { kty, crv, x, y, kid, alg };
}

/** What signs a filer's filings: the header is the same each time. */
export interface FilerSigner {
  readonly header: string;
  readonly key: KeyObject;
}

export function filerSigner(key: CorpusKey, issuer: string): FilerSigner {
  const header = JSON.stringify({ alg: 'ES256', kid: key.kid, typ: 'filing+jws', aud: issuer });
  return {
    header: Buffer.from(header).toString('base64url'),
    key: createPrivateKey({ key: { ...key }, format: 'jwk' }),
  };
}

/** A compact JWS over the text. ES256 is randomised: the same payload gives another signature each time. */
export function signPayload(signer: FilerSigner, payload: string): string {
  const input = `${signer.header}.${Buffer.from(payload).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(input), { key: signer.key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}
