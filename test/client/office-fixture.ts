import { createHash, randomBytes } from 'node:crypto';
import canonicalize from 'canonicalize';
import { generateKey, importSigningKey, type Jwk, type Jwks, publicJwk, signFiling } from '../../src/client/client.ts';
import type { PullableLog } from '../../src/client/pull.ts';
import type { Batch, Entry } from '../../src/client/types.ts';
import { signedPayload } from './support.ts';

// A gateway's side of logs and receipts, written from api.md, RFC 6962 and the C2SP specifications without the
// project's own Merkle and checkpoint code, so that both sides cannot share a mistake.

export const ISSUER = 'https://gateway.example';
export const OFFICE = '13501000000';

export const hash = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();
export const b64u = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** RFC 6962 section 2.1, as it is written there. */
export function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return hash();
  if (leaves.length === 1) return leaves[0] as Buffer;
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return hash(Buffer.from([1]), rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)));
}

/** RFC 6962 section 2.1.1, as it is written there. */
export function pathOf(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length <= 1) return [];
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return index < split
    ? [...pathOf(leaves.slice(0, split), index), rootOf(leaves.slice(split))]
    : [...pathOf(leaves.slice(split), index - split), rootOf(leaves.slice(0, split))];
}

export const leafOf = (text: string | Uint8Array): Buffer => hash(Buffer.from([0]), Buffer.from(text));

export interface GatewayKeys {
  readonly jwk: Jwk;
  readonly jwks: Jwks;
}

export async function gatewayKeys(): Promise<GatewayKeys> {
  const jwk = await generateKey('EdDSA');
  return { jwk, jwks: { keys: [publicJwk(jwk)] } };
}

async function signature(jwk: Jwk, data: Uint8Array): Promise<Buffer> {
  const key = await importSigningKey(jwk);
  return Buffer.from(await key.sign(data));
}

export async function jwsOver(jwk: Jwk, payload: object, typ = 'tick+jws'): Promise<string> {
  const header = { alg: 'EdDSA', kid: jwk.kid, typ };
  const input = `${b64u(Buffer.from(JSON.stringify(header)))}.${b64u(Buffer.from(canonicalize(payload) as string))}`;
  return `${input}.${b64u(await signature(jwk, Buffer.from(input)))}`;
}

export interface LoggedFiling {
  readonly entry: Entry;
  readonly payload: Buffer;
  readonly salt: Buffer;
  readonly leaf: Buffer;
}

/** `count` filings in the log of {@link OFFICE}, each with its own reference. */
export async function logFilings(count: number, filer: Jwk): Promise<LoggedFiling[]> {
  const key = await importSigningKey(filer);
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const text = JSON.stringify({ ...signedPayload, reference: `R-${index}` });
      const payload = Buffer.from(text);
      const salt = randomBytes(16);
      const id = `${OFFICE}.${index}`;
      const receivedAt = new Date(Date.UTC(2026, 10, 1) + index).toISOString();
      const commit = b64u(hash(salt, payload));
      const leaf = leafOf(canonicalize({ v: 1, id, office: OFFICE, index, receivedAt, commit }) as string);
      const jws = await signFiling(payload, key, ISSUER);
      return { entry: { index, id, receivedAt, salt: b64u(salt), leaf: b64u(leaf), jws }, payload, salt, leaf };
    }),
  );
}

/** C2SP signed-note and tlog-checkpoint. */
export async function checkpointOver(
  jwk: Jwk,
  leaves: readonly Buffer[],
  origin = `gateway.example/offices/${OFFICE}`,
): Promise<string> {
  const text = `${origin}\n${leaves.length}\n${rootOf(leaves).toString('base64')}\n`;
  const keyId = hash(Buffer.from(`${origin}\n\x01`), Buffer.from(jwk.x as string, 'base64url')).subarray(0, 4);
  const line = Buffer.concat([keyId, await signature(jwk, Buffer.from(text))]).toString('base64');
  return `${text}\n— ${origin} ${line}\n`;
}

/** The tick's filings as receipts; the log's filings are all in one tick. */
export async function receiptsFor(jwk: Jwk, filings: readonly LoggedFiling[]): Promise<object[]> {
  const statements = filings.map(({ entry, payload }) => ({
    iss: ISSUER,
    env: 'sandbox',
    id: entry.id,
    office: OFFICE,
    index: entry.index,
    version: '2026-02',
    ...signedPayload,
    reference: `R-${entry.index}`,
    data: undefined,
    digest: b64u(hash(payload)),
    leaf: entry.leaf,
    receivedAt: entry.receivedAt,
  }));
  const leaves = statements.map((statement) => leafOf(canonicalize(statement) as string));
  const treeSize = leaves.length;
  const signed = { root: b64u(rootOf(leaves)), treeSize, at: '2026-11-01T00:00:01.000Z', iss: ISSUER };
  const signatureText = await jwsOver(jwk, signed);
  return statements.map((statement, leafIndex) => ({
    statement: JSON.parse(JSON.stringify(statement)),
    salt: filings[leafIndex]?.entry.salt,
    path: pathOf(leaves, leafIndex).map(b64u),
    leafIndex,
    treeSize,
    signature: signatureText,
  }));
}

/** An office's log held in memory, with one batch to hand out. */
export function logWith(
  entries: readonly Entry[],
  batch: Omit<Batch, 'id' | 'expiresAt' | 'entries'> | undefined,
): PullableLog & { readonly acks: unknown[] } {
  const acks: unknown[] = [];
  return {
    office: OFFICE,
    acks,
    openBatch: async () => batch && { id: 'b1', expiresAt: '2026-11-01T00:01:00.000Z', entries: '', ...batch },
    async *entryLines(from, to) {
      const lines = entries.slice(from, to).map((entry) => ({ entry, text: JSON.stringify(entry) }));
      // Some at a time, as chunks of an answer bring them.
      for (let at = 0; at < lines.length; at += 7) yield lines.slice(at, at + 7);
    },
    acknowledge: async (...ack) => {
      acks.push(ack.slice(0, 3));
    },
  };
}
