import type { KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Jwk, Jwks } from '../../src/client/client.ts';
import { consistencyPath } from '../../src/log/merkle.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { hash, leafOf, rootOf } from '../client/office-fixture.ts';
import { type Filing, filingOf, receiptText } from '../support/expect.ts';
import { flattened, lodging, type SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { OFFICE, register, submitJws } from '../support/parties.ts';

/** A filing and all that the gateway hands out about it. */
export interface Original {
  readonly receipt: Buffer;
  readonly payload: Buffer;
  readonly filerKeys: Jwks;
  /** As it was submitted; absent for a line of form B. */
  readonly jws?: string;
  /** The receipt as `application/jose`, when it was asked for. */
  readonly compact?: Buffer;
  readonly leaf: string;
  readonly index: number;
}

export interface Growth {
  readonly oldSize: number;
  readonly oldRoot: string;
  readonly size: number;
  readonly root: string;
  readonly path: readonly string[];
}

/** What a gateway handed out before and after a rotation of its key. */
export interface Originals {
  readonly issuer: string;
  readonly office: string;
  /** Of the gateway, after the rotation. */
  readonly jwks: Jwks;
  /** The key that it signs with since then. */
  readonly signing: KeyObject;
  readonly filings: readonly Original[];
  /** Lines of the office's log, in order. */
  readonly entries: readonly Buffer[];
  readonly checkpoints: readonly Buffer[];
  readonly proofs: readonly { readonly index: number; readonly leaf: string; readonly proof: Buffer }[];
  readonly growths: readonly Growth[];
}

const ALGORITHMS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const;
const TOGETHER = 120;
const LINES = 200;
const PROOFS = 80;

/** Files some hundred filings, alone and together, singly and in bulk, with a new key of the gateway half way. */
export async function collectOriginals(): Promise<Originals> {
  const gateway = await startGateway({ env: { RATE_FILER: '100000', RATE_AGENT: '100000' } });
  try {
    const parties = await Promise.all(ALGORITHMS.map((alg) => register(gateway, { alg })));
    const filings: Original[] = [];
    for (const party of parties) filings.push(await file(gateway, party));
    const many = Array.from({ length: TOGETHER }, (_, i) => parties[i % parties.length] as SigningParty);
    filings.push(...(await Promise.all(many.map((party, i) => file(gateway, party, i % 3 === 0)))));
    const checkpoints = [await checkpoint(gateway)];
    const { privateKey } = generateKeyPair('Ed25519');
    await rotate(gateway, privateKey.export({ format: 'jwk' }) as Record<string, string>);
    filings.push(...(await upload(gateway, parties[0] as SigningParty)));
    filings.push(await file(gateway, parties[1] as SigningParty));
    checkpoints.push(await checkpoint(gateway));
    return { ...(await read(gateway, filings)), checkpoints, signing: privateKey };
  } finally {
    await gateway.remove();
  }
}

const keysOf = (party: SigningParty): Jwks => ({ keys: [party.publicJwk as unknown as Jwk] });

async function file(gateway: Gateway, party: SigningParty, isFlattened = false): Promise<Original> {
  const payload = Buffer.from(JSON.stringify(lodging({ filer: party.id })));
  const compact = party.filing(gateway.issuer, payload);
  const jws = isFlattened ? flattened(compact) : compact;
  const answer = await submitJws(gateway, jws);
  const { id, index } = filingOf(answer, 201);
  const leaf = String(filingOf(answer, 201).receipt.statement.leaf);
  const receipt = Buffer.from(receiptText(answer));
  const signed = await gateway.ask('GET', `/v1/filings/${id}/receipt`, {
    as: party,
    headers: { Accept: 'application/jose' },
  });
  return { receipt, payload, jws, filerKeys: keysOf(party), compact: signed.bytes, leaf, index };
}

/** Form B: one signature for all lines. */
async function upload(gateway: Gateway, party: SigningParty): Promise<Original[]> {
  const lines = Array.from({ length: LINES }, () => JSON.stringify(lodging({ filer: party.id })));
  const root = rootOf(lines.map(leafOf)).toString('base64url');
  const manifest = party.filing(gateway.issuer, JSON.stringify({ count: LINES, root }));
  const answer = await gateway.ask('POST', '/v1/filings/bulk', {
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: [`"${manifest}"`, ...lines, ''].join('\n'),
    timeoutMs: 120_000,
  });
  const answers = answer.text.trimEnd().split('\n');
  return answers.map((text, i) => {
    const { filing } = JSON.parse(text) as { filing: Filing };
    const receipt = Buffer.from(JSON.stringify(filing.receipt));
    const leaf = String(filing.receipt.statement.leaf);
    return { receipt, payload: Buffer.from(lines[i] as string), filerKeys: keysOf(party), leaf, index: filing.index };
  });
}

/** Another signing key, as docs/operating.md tells the operator to do it. */
async function rotate(gateway: Gateway, jwk: Record<string, string>): Promise<void> {
  await gateway.stop();
  const named = { ...jwk, alg: 'EdDSA', kid: thumbprint(jwk.x as string) };
  writeFileSync(path.join(gateway.dataDir, 'signing.jwk'), JSON.stringify(named), { mode: 0o600 });
  await gateway.start();
}

const thumbprint = (x: string): string =>
  hash(Buffer.from(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)).toString('base64url');

const ofOffice = `/v1/offices/${OFFICE.psb}`;

async function checkpoint(gateway: Gateway): Promise<Buffer> {
  return (await gateway.ask('GET', `${ofOffice}/checkpoint`, { as: 'psb' })).bytes;
}

async function read(
  gateway: Gateway,
  filings: readonly Original[],
): Promise<Omit<Originals, 'checkpoints' | 'signing'>> {
  const lines = (await gateway.ask('GET', `${ofOffice}/entries?from=0&limit=10000`, { as: 'psb' })).text;
  const entries = lines.trimEnd().split('\n').map((line) => Buffer.from(line)); // biome-ignore format: one step
  const proofs = [];
  for (let i = 0; i < filings.length; i += Math.ceil(filings.length / PROOFS)) {
    const { index, leaf } = filings[i] as Original;
    const answer = await gateway.ask('GET', `/v1/filings/${OFFICE.psb}.${index}/proof`, { as: 'psb' });
    proofs.push({ index, leaf, proof: answer.bytes });
  }
  const jwks = (await gateway.ask('GET', '/.well-known/jwks.json')).json() as Jwks;
  const growths = growthsOf(entries.map((line) => JSON.parse(line.toString()).leaf as string));
  return { issuer: gateway.issuer, office: OFFICE.psb, jwks, filings, entries, proofs, growths };
}

/** Proofs that the log as it was handed out grew from one size to another. */
function growthsOf(texts: readonly string[]): Growth[] {
  const leaves = texts.map((text) => Buffer.from(text, 'base64url'));
  const rootAt = (size: number): string => rootOf(leaves.slice(0, size)).toString('base64url');
  const sizes = [0, 1, 2, 3, 4, 7, 8, 64, 100, 128, 200, leaves.length];
  return sizes.flatMap((size) =>
    sizes
      .filter((oldSize) => oldSize <= size)
      .map((oldSize) => ({
        oldSize,
        oldRoot: rootAt(oldSize),
        size,
        root: rootAt(size),
        path: consistencyPath(hash, leaves.slice(0, size), oldSize).map((step) =>
          Buffer.from(step).toString('base64url'),
        ),
      })),
  );
}
