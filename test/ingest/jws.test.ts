import { type KeyObject, sign } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { compactVerify, flattenedVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import type { SignatureAlgorithm, SigningKey } from '../../src/identity/records.ts';
import { claimedKeyId, type ParsedJws, parseCompactJws, parseFlattenedJws } from '../../src/ingest/jws.ts';
import { findKey, verifySignature } from '../../src/ingest/verify.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { signaturesHere } from '../support/ingest.ts';

const ISSUER = 'http://gateway.test';
const KID = 'k'.repeat(43);

const PAIRS: Record<SignatureAlgorithm, { privateKey: KeyObject; publicKey: KeyObject }> = {
  ES256: generateKeyPair('P-256'),
  EdDSA: generateKeyPair('Ed25519'),
  PS256: generateKeyPair({ rsaBits: 2048 }),
  RS256: generateKeyPair({ rsaBits: 2048 }),
};

function signWith(alg: SignatureAlgorithm, input: string): string {
  const key = PAIRS[alg].privateKey;
  if (alg === 'EdDSA') return sign(null, Buffer.from(input), key).toString('base64url');
  if (alg === 'ES256')
    return sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  const options = alg === 'PS256' ? { key, padding: 6, saltLength: 32 } : { key };
  return sign('sha256', Buffer.from(input), options).toString('base64url');
}

const b64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const header = (more: object = {}, alg = 'ES256') => ({ alg, kid: KID, typ: 'filing+jws', aud: ISSUER, ...more });

function compact(protectedHeader: unknown, alg: SignatureAlgorithm = 'ES256', payload = '{"a":1}'): string {
  const input = `${b64(protectedHeader)}.${b64(payload)}`;
  return `${input}.${signWith(alg, input)}`;
}

async function accepts(parse: () => ParsedJws, alg: SignatureAlgorithm = 'ES256'): Promise<string> {
  const { publicKey } = PAIRS[alg];
  const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }));
  const key: SigningKey = { kid: KID, party: 'p', alg, jwk, publicKey };
  try {
    const jws = parse();
    await verifySignature(
      signaturesHere,
      await findKey({ issuer: ISSUER, directory: { key: async (kid) => (kid === KID ? key : undefined) } }, jws),
      jws,
    );
    return 'accepted';
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
}

async function joseAccepts(text: string, alg: SignatureAlgorithm = 'ES256'): Promise<boolean> {
  const key = PAIRS[alg].publicKey;
  try {
    if (text.startsWith('{')) await flattenedVerify(JSON.parse(text), key, { algorithms: [alg] });
    else await compactVerify(text, key, { algorithms: [alg] });
    return true;
  } catch {
    return false;
  }
}

const ES = compact(header());
const [P, L, S] = ES.split('.') as [string, string, string];

function lastCharacterChanged(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const at = alphabet.indexOf(text.slice(-1));
  return text.slice(0, -1) + alphabet[at ^ 1];
}

/** What we refuse although the signature is good: the list of our own strictness beyond jose. */
const BEYOND_JOSE: readonly [string, string, string][] = [
  ['crit that jose knows', compact(header({ crit: ['b64'], b64: true })), 'malformed-jws'],
  ['b64', compact(header({ b64: true })), 'malformed-jws'],
  ['jku', compact(header({ jku: 'http://127.0.0.1:9/keys' })), 'malformed-jws'],
  ['x5u', compact(header({ x5u: 'http://127.0.0.1:9/cert' })), 'malformed-jws'],
  ['x5c', compact(header({ x5c: ['MIIB'] })), 'malformed-jws'],
  ['jwk', compact(header({ jwk: PAIRS.ES256.publicKey.export({ format: 'jwk' }) })), 'malformed-jws'],
  ['zip', compact(header({ zip: 'DEF' })), 'malformed-jws'],
  ['another typ', compact(header({ typ: 'JWT' })), 'malformed-jws'],
  ['no typ', compact(header({ typ: undefined })), 'malformed-jws'],
  ['another audience', compact(header({ aud: 'http://elsewhere.test' })), 'wrong-audience'],
  ['an audience with a slash more', compact(header({ aud: `${ISSUER}/` })), 'wrong-audience'],
  ['a list of audiences', compact(header({ aud: [ISSUER] })), 'malformed-jws'],
  ['no kid', compact(header({ kid: undefined })), 'malformed-jws'],
  ['another kid', compact(header({ kid: 'x'.repeat(43) })), 'unknown-key'],
  ['a kid with a quote and a slash', compact(header({ kid: `'; DROP TABLE filing; --/../` })), 'unknown-key'],
  [
    'a member twice',
    compact(`{"alg":"ES256","kid":"${KID}","typ":"filing+jws","aud":"${ISSUER}","aud":"${ISSUER}"}`),
    'malformed-jws',
  ],
  [
    'a member twice, once with escapes',
    compact(`{"alg":"ES256","kid":"${KID}","typ":"filing+jws","aud":"x","\\u0061ud":"${ISSUER}"}`),
    'malformed-jws',
  ],
  ['a huge header', compact(header({ note: 'x'.repeat(4_000) })), 'malformed-jws'],
  ['an empty payload', compact(header(), 'ES256', ''), 'malformed-jws'],
  ['unused bits in the signature', `${P}.${L}.${lastCharacterChanged(S)}`, 'malformed-jws'],
  ['padding', `${P}.${L}.${S}==`, 'malformed-jws'],
  [
    'an unprotected header',
    JSON.stringify({ protected: P, payload: L, signature: S, header: { note: 1 } }),
    'malformed-jws',
  ],
  ['an unknown member', JSON.stringify({ protected: P, payload: L, signature: S, note: 1 }), 'malformed-jws'],
  [
    'a flattened member twice',
    `{"protected":"${P}","payload":"${L}","signature":"${S}","payload":"${L}"}`,
    'malformed-jws',
  ],
];

/** What jose refuses as well. */
const REFUSED_BY_BOTH: readonly [string, string, string][] = [
  ['a changed payload', `${P}.${b64('{"a":2}')}.${S}`, 'bad-signature'],
  ['a changed header', `${b64(header({ note: 1 }))}.${L}.${S}`, 'bad-signature'],
  ['alg none', `${b64(header({}, 'none'))}.${L}.`, 'malformed-jws'],
  ['HS256 with the public key as the secret', `${b64(header({}, 'HS256'))}.${L}.${S}`, 'malformed-jws'],
  ['the algorithm of another key', compact(header({}, 'RS256'), 'RS256'), 'bad-signature'],
  ['ES384', `${b64(header({}, 'ES384'))}.${L}.${S}`, 'malformed-jws'],
  ['an unknown critical extension', compact(header({ crit: ['exp'], exp: 1 })), 'malformed-jws'],
  [
    'a signature in DER',
    `${P}.${L}.${sign('sha256', Buffer.from(`${P}.${L}`), PAIRS.ES256.privateKey).toString('base64url')}`,
    'bad-signature',
  ],
  ['a signature of zeros', `${P}.${L}.${Buffer.alloc(64).toString('base64url')}`, 'bad-signature'],
  [
    'a signature with a byte more',
    `${P}.${L}.${Buffer.concat([Buffer.from(S, 'base64url'), Buffer.of(0)]).toString('base64url')}`,
    'bad-signature',
  ],
  ['no signature', `${P}.${L}.`, 'malformed-jws'],
  ['two parts', `${P}.${L}`, 'malformed-jws'],
  ['four parts', `${ES}.x`, 'malformed-jws'],
  ['several signatures', JSON.stringify({ payload: L, signatures: [{ protected: P, signature: S }] }), 'malformed-jws'],
  ['a header that is a list', compact('[]'), 'malformed-jws'],
  ['a header that is no JSON', compact('{alg}'), 'malformed-jws'],
  ['numbers as members', JSON.stringify({ protected: 1, payload: 2, signature: 3 }), 'malformed-jws'],
];

const read = (text: string) => () => (text.startsWith('{') ? parseFlattenedJws(text) : parseCompactJws(text));

describe('the JWS front, with jose as the reference', () => {
  it.each(Object.keys(PAIRS) as SignatureAlgorithm[])(
    'accepts %s in both serializations, and so does jose',
    async (alg) => {
      const text = compact(header({}, alg), alg);
      const [p, l, s] = text.split('.');
      const flattened = JSON.stringify({ payload: l, protected: p, signature: s });
      expect(await accepts(read(text), alg)).toBe('accepted');
      expect(await accepts(read(flattened), alg)).toBe('accepted');
      expect(await joseAccepts(text, alg)).toBe(true);
      expect(await joseAccepts(flattened, alg)).toBe(true);
    },
  );

  it('takes Ed25519 as another name of EdDSA (RFC 9864), and header members that mean nothing to it', async () => {
    expect(await accepts(read(compact(header({}, 'Ed25519'), 'EdDSA')), 'EdDSA')).toBe('accepted');
    expect(await accepts(read(compact(header({ cty: 'json', iat: 1 }))))).toBe('accepted');
  });

  it.each(BEYOND_JOSE)('refuses %s, which jose takes', async (_, text, code) => {
    expect(await joseAccepts(text)).toBe(true);
    expect(await accepts(read(text))).toBe(code);
  });

  it.each(REFUSED_BY_BOTH)('refuses %s, as jose does', async (_, text, code) => {
    expect(await joseAccepts(text)).toBe(false);
    expect(await accepts(read(text))).toBe(code);
  });

  it('accepts nothing that jose refuses, over one-character changes', async () => {
    for (let at = 0; at < ES.length; at += 3) {
      const changed = `${ES.slice(0, at)}${ES[at] === 'A' ? 'B' : 'A'}${ES.slice(at + 1)}`;
      if ((await accepts(read(changed))) === 'accepted') expect(await joseAccepts(changed)).toBe(true);
      expect(await accepts(read(changed))).not.toBe('accepted');
    }
  });
});

describe('headers that are kept', () => {
  it('keep nothing of the requests that they came in', () => {
    const payload = 'A'.repeat(1024 * 1024);
    const send = (i: number): unknown => {
      const header = { alg: 'ES256', kid: `kid-${i}`, typ: 'filing+jws', aud: 'http://gateway.test' };
      return parseCompactJws(`${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.AAAA`);
    };
    send(-1);
    const before = heapUsed();
    for (let i = 0; i < 100; i++) send(i);
    expect(heapUsed() - before).toBeLessThan(20 * 1024 * 1024);
  });
});

/** After a collection, in bytes. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

describe('the key id that a filing claims', () => {
  it('is told by its protected header, in compact form, whether or not that was seen before', () => {
    const text = Buffer.from(compact(header({ kid: 'seen' })));
    const end = text.indexOf('.');
    for (const parse of [() => {}, () => parseCompactJws(text.toString())]) {
      parse();
      expect(claimedKeyId(text)).toBe('seen');
      expect(claimedKeyId(text.subarray(0, end + 1))).toBe('seen');
    }
    for (const begun of [
      '',
      '.',
      '{"payload":"x"}.',
      'bm8.',
      `${b64('null')}.`,
      `${b64({ kid: 1 })}.`,
      `${'a'.repeat(513)}.`,
    ])
      expect(claimedKeyId(Buffer.from(begun)), begun).toBeUndefined();
    expect(claimedKeyId(text.subarray(0, end))).toBeUndefined();
  });

  it('is told in flattened form, in whichever order its members come', () => {
    const [encoded = '', payload, signature] = compact(header({ kid: 'seen' })).split('.');
    const members = { protected: encoded, payload, signature };
    for (const text of [
      JSON.stringify(members),
      JSON.stringify({ payload, signature, protected: encoded }),
      JSON.stringify(members, null, 2),
    ])
      expect(claimedKeyId(Buffer.from(text)), text).toBe('seen');
    for (const text of ['{', '{"protected":"bm8"}', `{"protected":"${'a'.repeat(513)}"}`, '{"payload":"x.y"}'])
      expect(claimedKeyId(Buffer.from(text)), text).toBeUndefined();
  });
});
