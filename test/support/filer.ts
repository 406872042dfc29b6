import { constants, createHash, createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { shanghaiDate, systemClock } from '../../src/std/clock.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { keepSubmitted } from './output.ts';

export type Payload = Record<string, unknown>;

function rawSignature(alg: string, key: KeyObject, input: Buffer): Buffer {
  if (alg === 'ES256') return sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' });
  if (alg === 'EdDSA' || alg === 'Ed25519') return sign(null, input, key);
  if (alg === 'PS256') return sign('sha256', input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  return sign('sha256', input, key);
}

/** A party with a private key: signs what its software would sign. */
export class SigningParty {
  readonly id: string;
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicJwk: Record<string, unknown>;

  constructor(id: string, jwk: Record<string, unknown>) {
    const { d: _, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, sub: _sub, ...publicJwk } = jwk;
    this.id = id;
    this.kid = String(jwk.kid);
    this.alg = String(jwk.alg);
    this.privateKey = createPrivateKey({ key: jwk as never, format: 'jwk' });
    this.publicJwk = publicJwk;
  }

  /** A compact JWS; members of `header` replace or join `alg` and `kid`. */
  jws(payload: string | Uint8Array, header: object): string {
    return this.signed(payload, JSON.stringify({ alg: this.alg, kid: this.kid, ...header }));
  }

  /** A compact JWS over a header of the caller's own wording. */
  signed(payload: string | Uint8Array, header: string): string {
    keepSubmitted(payload);
    const input = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
    return `${input}.${rawSignature(this.alg, this.privateKey, Buffer.from(input)).toString('base64url')}`;
  }

  /** A filing as the contract wants it, compact. */
  filing(issuer: string, payload: Payload | string | Uint8Array, header: object = {}): string {
    const bytes = typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload);
    return this.jws(bytes, { typ: 'filing+jws', aud: issuer, ...header });
  }

  /** `proof` of `POST /v1/parties/{id}/keys`. */
  proof(issuer: string, sub = this.id): string {
    return this.jws(JSON.stringify({ sub, aud: issuer, iat: Math.floor(systemClock.now() / 1000) }), {});
  }

  /** A client assertion, RFC 7523. */
  assertion(issuer: string): string {
    const now = Math.floor(systemClock.now() / 1000);
    const claims = { iss: this.id, sub: this.id, aud: issuer, iat: now, exp: now + 120, jti: randomUUID() };
    return this.jws(JSON.stringify(claims), {});
  }
}

export function readParty(file: string): SigningParty {
  const jwk = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  return new SigningParty(String(jwk.sub), jwk);
}

export function flattened(compact: string): string {
  const [header, payload, signature] = compact.split('.');
  return JSON.stringify({ protected: header, payload, signature });
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The first valid example of a version of a type: `example('tax/vat-general')`. */
export function example(type: string, name?: string): Payload {
  const folder = `${root}/schemas/${type}`;
  const version = readdirSync(folder)
    .filter((entry) => /^\d{4}-\d\d$/.test(entry))
    .sort()
    .at(-1);
  const examples = `${folder}/${version}/examples`;
  const file = name ?? readdirSync(examples).find((entry) => entry.startsWith('valid-'));
  return JSON.parse(readFileSync(`${examples}/${file}`, 'utf8')) as Payload;
}

/** Today in China, or some days ago. */
export function chinaDay(daysAgo = 0): string {
  return shanghaiDate(systemClock.now() - daysAgo * 86_400_000);
}

let lastReference = 0;
const LODGING = example('psb/lodging', 'valid-check-in.json');

/** A lodging registration, the smallest filing; each has a reference of its own. */
export function lodging(changes: Payload = {}, daysAgo = 0): Payload {
  const day = chinaDay(daysAgo);
  const { filer, version: _, ...rest } = LODGING;
  const data = { ...(rest.data as object), checkIn: `${day}T00:00:10+08:00` };
  const reference = `T-${process.pid}-${++lastReference}-${randomUUID().slice(0, 8)}`;
  return { ...rest, filer, period: { from: day, to: day }, reference, data, ...changes };
}

/** A new key that nobody has registered yet. */
export function newParty(id: string, alg: 'ES256' | 'EdDSA' | 'PS256' | 'RS256' = 'ES256'): SigningParty {
  const { privateKey } =
    alg === 'ES256'
      ? generateKeyPair('P-256')
      : alg === 'EdDSA'
        ? generateKeyPair('Ed25519')
        : generateKeyPair({ rsaBits: 2048 });
  const jwk = privateKey.export({ format: 'jwk' }) as Record<string, string>;
  return new SigningParty(id, { ...jwk, alg, kid: thumbprint(jwk) });
}

/** RFC 7638. */
function thumbprint(jwk: Record<string, string>): string {
  const members =
    { EC: ['crv', 'kty', 'x', 'y'], OKP: ['crv', 'kty', 'x'], RSA: ['e', 'kty', 'n'] }[jwk.kty ?? ''] ?? [];
  const text = `{${members.map((name) => `"${name}":"${jwk[name]}"`).join(',')}}`;
  return createHash('sha256').update(text).digest('base64url');
}
