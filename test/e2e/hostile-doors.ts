import { createHash, createHmac, createPublicKey, sign } from 'node:crypto';
import { lodging, newParty, type SigningParty } from '../support/filer.ts';
import { freshUscc } from '../support/parties.ts';
import type { Answer } from '../support/wire.ts';

/** What is signed at a door: header members beside `alg` and `kid`, and the payload. */
export interface Draft {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: string;
}

/** Whoever is at the door, and what it is the door of. */
export interface Scene {
  readonly issuer: string;
  readonly filer: SigningParty;
  readonly other: SigningParty;
  readonly agentId: string;
  /** Where somebody waits for whoever follows a URL of a header. */
  readonly lure: string;
  readonly send: (method: string, target: string, type: string, body: string, isOperator?: boolean) => Promise<Answer>;
}

/** A place that takes a JWS. */
export interface Door {
  readonly name: string;
  readonly draft: (scene: Scene) => Draft;
  /** Whose key signs; the filer's unless said. */
  readonly signer?: (scene: Scene) => SigningParty;
  /** Sends it; the status that the JWS itself got. */
  readonly knock: (scene: Scene, jws: string, signer: SigningParty) => Promise<{ status: number; text: string }>;
  /** The same draft for another gateway. */
  readonly elsewhere: (draft: Draft) => Draft;
}

const now = (): number => Math.floor(Date.now() / 1000);
const ELSEWHERE = 'https://elsewhere.example';
const inHeader = ({ header, payload }: Draft): Draft => ({ header: { ...header, aud: ELSEWHERE }, payload });
const inClaims = ({ header, payload }: Draft): Draft => ({
  header,
  payload: JSON.stringify({ ...(JSON.parse(payload) as object), aud: ELSEWHERE }),
});
const filing = ({ issuer, filer }: Scene): Draft => ({
  header: { typ: 'filing+jws', aud: issuer },
  payload: JSON.stringify(lodging({ filer: filer.id })),
});

function jose(method: string, target: string, flattened?: 'application/jose+json') {
  return ({ send }: Scene, jws: string) =>
    send(method, target, (jws.startsWith('{') && flattened) || 'application/jose', jws);
}

/** The status of the first line of a bulk answer, or that of the whole. */
function firstLine(answer: Answer): { status: number; text: string } {
  const line = answer.status === 200 ? (JSON.parse(answer.text.split('\n')[0] ?? '') as { status: number }) : answer;
  return { status: line.status, text: answer.text };
}

const asLine = (jws: string): string => (jws.startsWith('{') ? jws : JSON.stringify(jws));

/** A key that is about to be registered: its holder signs the proof. */
const newKeyOf = ({ filer }: Scene): SigningParty => newParty(filer.id);
const proofOf = ({ issuer, filer }: Scene): Draft => ({
  header: {},
  payload: JSON.stringify({ sub: filer.id, aud: issuer, iat: now() }),
});

export const DOORS: readonly Door[] = [
  { name: 'filing', draft: filing, knock: jose('POST', '/v1/filings', 'application/jose+json'), elsewhere: inHeader },
  {
    name: 'dry run',
    draft: filing,
    knock: jose('POST', '/v1/validations', 'application/jose+json'),
    elsewhere: inHeader,
  },
  {
    name: 'bulk, a JWS a line',
    draft: filing,
    knock: async ({ send }, jws) =>
      firstLine(await send('POST', '/v1/filings/bulk', 'application/x-ndjson', `${asLine(jws)}\n`)),
    elsewhere: inHeader,
  },
  {
    name: 'manifest of a bulk',
    draft: ({ issuer, filer }) => {
      const line = JSON.stringify(lodging({ filer: filer.id }));
      lines.set(filer.id, line);
      return { header: { typ: 'filing+jws', aud: issuer }, payload: JSON.stringify({ count: 1, root: rootOf(line) }) };
    },
    knock: async ({ send, filer }, jws) =>
      firstLine(
        await send('POST', '/v1/filings/bulk', 'application/x-ndjson', `${asLine(jws)}\n${lines.get(filer.id)}\n`),
      ),
    elsewhere: inHeader,
  },
  {
    name: 'mandate',
    draft: ({ issuer, filer, agentId: agent }) => ({
      header: { typ: 'mandate+jws', aud: issuer },
      payload: JSON.stringify({
        id: `m-${freshUscc()}`,
        agent,
        filer: filer.id,
        types: ['tax.*'],
        from: '2026-01-01',
        iat: now(),
      }),
    }),
    knock: jose('POST', '/v1/mandates'),
    elsewhere: inHeader,
  },
  {
    name: 'rotation',
    draft: ({ issuer, filer }) => {
      const next = newParty(filer.id);
      const claims = { jwk: next.publicJwk, proof: next.proof(issuer), aud: issuer, iat: now() };
      return { header: {}, payload: JSON.stringify(claims) };
    },
    knock: jose('POST', '/v1/keys/rotation'),
    elsewhere: inClaims,
  },
  {
    name: 'proof of possession in a rotation',
    draft: proofOf,
    signer: newKeyOf,
    knock: (scene, proof, { publicJwk: jwk }) => {
      const claims = { jwk, proof, aud: scene.issuer, iat: now() };
      return jose('POST', '/v1/keys/rotation')(scene, scene.filer.jws(JSON.stringify(claims), {}));
    },
    elsewhere: inClaims,
  },
  {
    name: 'proof of possession of a new key',
    draft: proofOf,
    signer: newKeyOf,
    knock: ({ send, filer }, proof, { publicJwk: jwk }) =>
      send('POST', `/v1/parties/${filer.id}/keys`, 'application/json', JSON.stringify({ jwk, proof }), true),
    elsewhere: inClaims,
  },
  {
    name: 'assertion for a token',
    draft: ({ issuer, filer }) => ({ header: {}, payload: claimsOf(filer.assertion(issuer)) }),
    knock: ({ send }, jws) =>
      send(
        'POST',
        '/oauth2/token',
        'application/x-www-form-urlencoded',
        new URLSearchParams({
          grant_type: 'client_credentials',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: jws,
        }).toString(),
      ),
    elsewhere: inClaims,
  },
];

/** The line that belongs to the manifest signed last. */
const lines = new Map<string, string>();

function claimsOf(jws: string): string {
  return Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString();
}

function rootOf(line: string): string {
  return createHash('sha256').update(Buffer.of(0)).update(line).digest('base64url');
}

/** Makes of a draft something that must not pass. */
export type Attack = (scene: Scene, signer: SigningParty, draft: Draft) => string;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const good: Attack = (_, signer, { header, payload }) => signer.jws(payload, header);
const parts = (jws: string): [string, string, string] => jws.split('.') as [string, string, string];
const withMembers =
  (make: (scene: Scene) => Record<string, unknown>): Attack =>
  (scene, signer, { header, payload }) =>
    signer.jws(payload, { ...header, ...make(scene) });

function forged(signer: SigningParty, { header, payload }: Draft, alg: string): string {
  return `${encode({ alg, kid: signer.kid, ...header })}.${Buffer.from(payload).toString('base64url')}`;
}

const hmac: Attack = (_, signer, draft) => {
  const secret = createPublicKey(signer.privateKey).export({ type: 'spki', format: 'pem' });
  const input = forged(signer, draft, 'HS256');
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};

const signature =
  (change: (bytes: Buffer) => Uint8Array): Attack =>
  (scene, signer, draft) => {
    const [header, payload, end] = parts(good(scene, signer, draft));
    return `${header}.${payload}.${Buffer.from(change(Buffer.from(end, 'base64url'))).toString('base64url')}`;
  };

/** Signed over a header that no JSON writer would make. */
const rawHeader =
  (change: (text: string) => string): Attack =>
  (_, signer, { header, payload }) =>
    rawJws(signer, change(JSON.stringify({ alg: signer.alg, kid: signer.kid, ...header })), payload);

function rawJws(signer: SigningParty, header: string, payload: string): string {
  const input = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
  const key = { key: signer.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
}

export const ATTACKS: Readonly<Record<string, Attack>> = {
  'alg none, no signature': (_, signer, draft) => `${forged(signer, draft, 'none')}.`,
  'alg none, signed': withMembers(() => ({ alg: 'none' })),
  'HS256 with the public key': hmac,
  'another algorithm than the key’s': withMembers(() => ({ alg: 'EdDSA' })),
  'the kid of another party': withMembers(({ other }) => ({ kid: other.kid })),
  'a kid with quotes': withMembers(() => ({ kid: "' OR ''='" })),
  'a kid with slashes': withMembers(() => ({ kid: '../../../../etc/passwd' })),
  'a duplicate alg': rawHeader((text) => text.replace('{', '{"alg":"none",')),
  'a duplicate kid': rawHeader((text) => text.replace('{', '{"kid":"x",')),
  crit: withMembers(() => ({ crit: ['x'], x: 1 })),
  'b64 false': withMembers(() => ({ b64: false, crit: ['b64'] })),
  jku: withMembers(({ lure }) => ({ jku: `${lure}/jwks.json` })),
  x5u: withMembers(({ lure }) => ({ x5u: `${lure}/chain.pem` })),
  'an embedded jwk': (_, { id, kid }, { header, payload }) => {
    const stranger = newParty(id);
    return stranger.jws(payload, { ...header, kid, jwk: stranger.publicJwk });
  },
  'its own key embedded': (_, signer, { header, payload }) => signer.jws(payload, { ...header, jwk: signer.publicJwk }),
  'a stranger under the kid': (_, { id, kid }, { header, payload }) => newParty(id).jws(payload, { ...header, kid }),
  'an unprotected header': (scene, signer, draft) => {
    const [header, payload, end] = parts(good(scene, signer, draft));
    return JSON.stringify({ protected: header, payload, signature: end, header: { kid: signer.kid } });
  },
  padding: (scene, signer, draft) => `${good(scene, signer, draft)}==`,
  'bits that are not used': (scene, signer, draft) => `${good(scene, signer, draft).slice(0, -1)}B`,
  'a signature with a byte more': signature((bytes) => Buffer.concat([bytes, Buffer.of(0)])),
  'a signature of zeros': signature((bytes) => Buffer.alloc(bytes.length)),
  'r and s exchanged': signature((bytes) => Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)])),
  'another payload under the signature': (scene, signer, draft) => {
    const [header, , end] = parts(good(scene, signer, draft));
    const changed = draft.payload.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 1) % 10));
    return `${header}.${Buffer.from(changed).toString('base64url')}.${end}`;
  },
  'a huge header': withMembers(() => ({ x: 'x'.repeat(20_000) })),
  'four parts': (scene, signer, draft) => `${good(scene, signer, draft)}.AA`,
};
