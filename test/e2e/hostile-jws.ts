import { constants, createHmac, createPublicKey, sign } from 'node:crypto';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { flattened, lodging, newParty, type SigningParty } from '../support/filer.ts';

/** Signers that the gateway knows, and what it is called. */
export interface Parties {
  readonly issuer: string;
  readonly filer: SigningParty;
  readonly other: SigningParty;
  /** Its key is registered as RS256. */
  readonly rsa: SigningParty;
  /** Where a gateway that follows `jku` would go. */
  readonly lure: string;
}

/** What is sent as a filing, and the status that it gets. */
export type HostileJws = readonly [name: string, status: 400 | 401 | 413, make: (parties: Parties) => string];

const b64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64url');
const json = (value: unknown): string => b64(JSON.stringify(value));

const headerOf = ({ issuer, filer }: Parties): Record<string, unknown> => ({
  alg: filer.alg,
  kid: filer.kid,
  typ: 'filing+jws',
  aud: issuer,
});

/** Signed properly by the filer over a header of our own wording. */
function withHeader(parties: Parties, header: string | Uint8Array): string {
  const input = `${b64(header)}.${json(lodging())}`;
  const key = { key: parties.filer.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
}

const members = (changes: Record<string, unknown>) => (parties: Parties) =>
  withHeader(parties, JSON.stringify({ ...headerOf(parties), ...changes }));
const headerText = (make: (text: string, parties: Parties) => string | Uint8Array) => (parties: Parties) =>
  withHeader(parties, make(JSON.stringify(headerOf(parties)), parties));

const good = ({ filer, issuer }: Parties): string => filer.filing(issuer, lodging());
const parts = (jws: string): [string, string, string] => jws.split('.') as [string, string, string];
const signature = (change: (bytes: Buffer) => Uint8Array) => (parties: Parties) => {
  const [header, payload, end] = parts(good(parties));
  return `${header}.${payload}.${b64(change(Buffer.from(end, 'base64url')))}`;
};

function hmac(parties: Parties, format: 'pem' | 'der'): string {
  const key = createPublicKey(parties.filer.privateKey);
  const secret = format === 'pem' ? key.export({ type: 'spki', format }) : key.export({ type: 'spki', format });
  const input = `${json({ ...headerOf(parties), alg: 'HS256' })}.${json(lodging())}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function embedded(parties: Parties): string {
  const stranger = newParty(parties.filer.id);
  return stranger.filing(parties.issuer, lodging(), { kid: parties.filer.kid, jwk: stranger.publicJwk });
}

const algorithms: readonly HostileJws[] = [
  ['alg none without a signature', 400, (p) => `${json({ ...headerOf(p), alg: 'none' })}.${json(lodging())}.`],
  ['alg none with a signature', 400, members({ alg: 'none' })],
  ['alg nOnE', 400, members({ alg: 'nOnE' })],
  ['HS256 with the public key in PEM as the secret', 400, (p) => hmac(p, 'pem')],
  ['HS256 with the public key in DER as the secret', 400, (p) => hmac(p, 'der')],
  ['ES256 said to be EdDSA', 401, members({ alg: 'EdDSA' })],
  ['ES256 said to be RS256', 401, members({ alg: 'RS256' })],
  ['ES384, which no key has', 400, members({ alg: 'ES384' })],
  ['an alg that is a list', 400, members({ alg: ['ES256'] })],
  ['an alg that is __proto__', 400, members({ alg: '__proto__' })],
  ['no alg', 400, members({ alg: undefined })],
  [
    'PS256 by a key that is registered as RS256',
    401,
    ({ rsa, issuer }) => {
      const input = `${json({ alg: 'PS256', kid: rsa.kid, typ: 'filing+jws', aud: issuer })}.${json(lodging())}`;
      const key = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
      return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
    },
  ],
  [
    'a key of another curve under the same kid',
    401,
    (p) => {
      const { privateKey: key } = generateKeyPair('secp256k1');
      const input = `${json(headerOf(p))}.${json(lodging())}`;
      return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    },
  ],
];

const keyIds: readonly HostileJws[] = [
  ['the kid of another party', 401, ({ other, filer, issuer }) => filer.filing(issuer, lodging(), { kid: other.kid })],
  ['a kid with a quote', 401, members({ kid: "' OR ''='" })],
  ['a kid with slashes', 401, members({ kid: '../../../../etc/passwd' })],
  ['a kid with a NUL', 401, members({ kid: 'a\u0000b' })],
  ['an empty kid', 401, members({ kid: '' })],
  ['a kid of 100 kB', 400, members({ kid: 'k'.repeat(100_000) })],
  ['a kid that is a number', 400, members({ kid: 1 })],
  ['a kid that is an object', 400, members({ kid: { $ne: null } })],
  ['no kid', 400, members({ kid: undefined })],
  ['a kid that differs in its case', 401, (p) => members({ kid: p.filer.kid.toLowerCase() })(p)],
];

const headers: readonly HostileJws[] = [
  ['duplicate alg', 400, headerText((text) => text.replace('{', '{"alg":"none",'))],
  ['duplicate aud', 400, headerText((text) => text.replace('}', ',"aud":"x"}'))],
  ['duplicate kid spelt with escapes', 400, headerText((text) => text.replace('{', '{"k\\u0069d":"x",'))],
  ['crit with an unknown extension', 400, members({ crit: ['x'], x: 1 })],
  ['an empty crit', 400, members({ crit: [] })],
  ['b64 false', 400, members({ b64: false, crit: ['b64'] })],
  ['b64 false without crit', 400, members({ b64: false })],
  ['jku', 400, (p) => members({ jku: `${p.lure}/jwks.json` })(p)],
  ['x5u', 400, (p) => members({ x5u: `${p.lure}/chain.pem` })(p)],
  ['an embedded jwk', 400, embedded],
  ['x5c', 400, members({ x5c: ['MIIB'] })],
  ['zip', 400, members({ zip: 'DEF' })],
  ['another typ', 400, members({ typ: 'JWT' })],
  ['no typ', 400, members({ typ: undefined })],
  ['no aud', 400, members({ aud: undefined })],
  ['an aud that is a list', 400, (p) => members({ aud: [p.issuer] })(p)],
  ['the aud of another gateway', 401, members({ aud: 'https://elsewhere.example' })],
  ['an aud that only starts with ours', 401, (p) => members({ aud: `${p.issuer}.elsewhere.example` })(p)],
  ['a header of 1 MiB', 400, members({ x: 'x'.repeat(1024 * 1024) })],
  ['a header that is a list', 400, headerText((text) => `[${text}]`)],
  ['a header that is null', 400, headerText(() => 'null')],
  ['a header with a BOM', 400, headerText((text) => `\ufeff${text}`)],
  ['a header that is not UTF-8', 400, headerText((text) => Buffer.concat([Buffer.from(text), Buffer.of(0xff)]))],
  ['a header with __proto__', 400, headerText((text) => text.replace('{', '{"__proto__":{"alg":"none"},'))],
  ['a header nested deep', 400, headerText((text) => text.replace('}', `,"x":${'['.repeat(500)}${']'.repeat(500)}}`))],
];

const encodings: readonly HostileJws[] = [
  ['padding', 400, (p) => `${good(p)}==`],
  [
    'padding in the payload',
    400,
    (p) =>
      parts(good(p))
        .map((part, i) => (i === 1 ? `${part}=` : part))
        .join('.'),
  ],
  ['bits that are not used', 400, (p) => `${good(p).slice(0, -1)}B`],
  [
    'base64 with + and /',
    400,
    (p) =>
      parts(good(p))
        .map((part, i) => (i === 2 ? `+/${part.slice(2)}` : part))
        .join('.'),
  ],
  ['white space within', 400, (p) => good(p).replace('.', ' .')],
  ['a newline at the end', 400, (p) => `${good(p)}\n`],
  ['two parts', 400, (p) => parts(good(p)).slice(0, 2).join('.')],
  ['four parts', 400, (p) => `${good(p)}.AA`],
  ['a detached payload', 400, (p) => `${parts(good(p))[0]}..${parts(good(p))[2]}`],
  ['an empty signature', 400, (p) => `${parts(good(p)).slice(0, 2).join('.')}.`],
  ['dots only', 400, () => '.'.repeat(1_000_000)],
  ['a signature in DER', 401, signature((bytes) => derOf(bytes))],
  ['a signature with a byte more', 401, signature((bytes) => Buffer.concat([bytes, Buffer.of(0)]))],
  ['a signature with a byte less', 401, signature((bytes) => bytes.subarray(1))],
  ['a signature of zeros', 401, signature((bytes) => Buffer.alloc(bytes.length))],
  ['r and s exchanged', 401, signature((bytes) => Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)]))],
  ['another payload under the signature', 401, (p) => `${parts(good(p))[0]}.${json(lodging())}.${parts(good(p))[2]}`],
];

function derOf(raw: Buffer): Buffer {
  const integer = (part: Buffer): Buffer => Buffer.concat([Buffer.of(2, 33, 0), part]);
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
}

const flat = (change: (jws: Record<string, unknown>) => unknown) => (p: Parties) =>
  JSON.stringify(change(JSON.parse(flattened(good(p))) as Record<string, unknown>));

const flattenings: readonly HostileJws[] = [
  ['an unprotected header', 400, flat((jws) => ({ ...jws, header: { kid: 'x' } }))],
  ['an empty unprotected header', 400, flat((jws) => ({ ...jws, header: {} }))],
  ['the general serialization', 400, flat(({ payload, ...rest }) => ({ payload, signatures: [rest] }))],
  ['both serializations at once', 400, flat((jws) => ({ ...jws, signatures: [jws] }))],
  ['an unknown member', 400, flat((jws) => ({ ...jws, x: 1 }))],
  ['parts that are no strings', 400, flat((jws) => ({ ...jws, signature: [jws.signature] }))],
  ['no protected header', 400, flat(({ protected: _, ...jws }) => jws)],
  ['a duplicate payload', 400, (p) => flattened(good(p)).replace('{', '{"payload":"e30",')],
  ['16 MiB of brackets', 400, () => `{${'['.repeat(16 * 1024 * 1024 - 8)}`],
  ['more than 16 MiB', 413, () => `{${'['.repeat(16 * 1024 * 1024)}`],
];

export const HOSTILE_JWS: readonly HostileJws[] = [...algorithms, ...keyIds, ...headers, ...encodings, ...flattenings];
