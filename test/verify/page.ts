import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { b64u, hash, leafOf, pathOf, rootOf } from '../client/office-fixture.ts';
import {
  compactJws,
  cosignature,
  headText,
  nationalProofs,
  note,
  recoveredLine,
  recoveryText,
  seededKey,
  textOf,
  tlogProof,
  trailHashes,
  trailText,
} from './workshop.ts';

// The examples of docs/verify.md that no gateway hands out on an ordinary day. Their keys come from seeds, and Ed25519
// signs the same the same way, so the page's bytes can be made again: `node --import tsx test/verify/page.ts` writes them.

const PAGE = fileURLToPath(new URL('../../docs/verify.md', import.meta.url));
const BLOCK = /^(```\w+ ([\w-]+)\n)([\s\S]*?)^```$/gm;

const BASE = 'gateway.example';
const ORIGIN = `${BASE}/offices/53501000000`;
const NATIONAL = `${BASE}/national`;
/** 2026-11-22T20:00:00Z. */
const TIME = 1_795_377_600;
const AT = '2026-11-22T20:05:00.000Z';

/** The private keys are SHA-256 of these words. */
const gateway = seededKey('example gateway');
const office = seededKey('example office');
const filer = seededKey('example filer');

/** The code blocks of the page by name. */
export function blocksOf(page: string): Map<string, string> {
  return new Map([...page.matchAll(BLOCK)].map(([, , name, text]) => [name as string, text as string]));
}

export const readPage = (): string => readFileSync(PAGE, 'utf8');

/** The head that a checkpoint's text states. */
function treeIn(signed: string): { size: number; root: Buffer } {
  const [, size, root] = signed.split('\n');
  return { size: Number(size), root: Buffer.from(root as string, 'base64') };
}

const json = (value: unknown): string => `${JSON.stringify(value)}\n`;
const keySet = (...keys: readonly (typeof gateway)[]): string =>
  json({ keys: keys.map(({ jwk: { kty, crv, x, alg, kid } }) => ({ kty, crv, x, alg, kid })) });

/** What is made for the page, by block, from the checkpoints that stand on it. */
export function madeBlocks(page: string): Map<string, string> {
  const given = blocksOf(page);
  const [before, after] = ['old-checkpoint', 'checkpoint'].map((name) => given.get(name) ?? '') as [string, string];
  const [kept, lost] = [before, after].map(treeIn) as [ReturnType<typeof treeIn>, ReturnType<typeof treeIn>];
  const cosigned = `${after}${cosignature(after, TIME, office)}`;
  const recovered = note(headText(ORIGIN, kept.size, kept.root, recoveredLine(kept.size, lost)), gateway);
  const rows = trailRows();
  const hashes = trailHashes(rows);
  const texts = [
    textOf(after),
    recoveryText(ORIGIN, kept, lost, AT),
    textOf(recovered),
    trailText(BASE, rows.length, hashes.at(-1) as Buffer),
  ];
  return new Map([
    ['example-jwks', keySet(gateway)],
    ['office-keys', keySet(office)],
    ['mandate-keys', keySet(filer)],
    ['cosigned', cosigned],
    ['cosigned-message', `cosignature/v1\ntime ${TIME}\n${textOf(after)}`],
    ['recovered', recovered],
    ['national-entries', nationalLines(texts)],
    ['national-proof', nationalProofs(texts, NATIONAL, gateway)[0] as string],
    ['recovery-proof', nationalProofs(texts, NATIONAL, gateway)[1] as string],
    ['extra-proof', extraProof(given.get('proof') ?? '')],
    ['trail', rows.map((row, i) => json({ ...row, hash: b64u(hashes[i] as Buffer) })).join('')],
    ['mandate', `${compactJws({ typ: 'mandate+jws', aud: `https://${BASE}` }, MANDATE, filer)}\n`],
    ['values', valuesOf(texts)],
  ]);
}

function nationalLines(texts: readonly string[]): string {
  const kinds = ['office', 'recovery', 'office', 'trail'];
  const lines = texts.map((text, index) => {
    const kind = kinds[index];
    return json({ index, kind, office: kind === 'trail' ? '' : '53501000000', text, leaf: b64u(leafOf(text)), at: AT });
  });
  return lines.join('');
}

/** The page's own proof, with something in its extra line that means nothing. */
function extraProof(proof: string): string {
  const [, index, ...rest] = proof.split('\n');
  const gap = rest.indexOf('');
  const path = rest.slice(0, gap).map((step) => Buffer.from(step, 'base64'));
  return tlogProof({
    extra: 'filed on paper too',
    index: Number(index?.slice(6)),
    path,
    checkpoint: rest.slice(gap + 1).join('\n'),
  });
}

const MANDATE =
  '{"id":"M-1","agent":"91350100M000100Y43","filer":"91350100MA012HJ30T","types":["tax.*"],"from":"2026-10-01","iat":1795377600}';

function trailRows(): object[] {
  const common = {
    role: 'operator',
    party: 'operator',
    action: 'putParty',
    target: '91350100MA012HJ30T',
    request: 'req-1',
  };
  return [
    { n: 1, at: '2026-11-22T20:00:00.000Z', ...common, result: 'begun' },
    { n: 2, at: '2026-11-22T20:00:00.012Z', ...common, result: 'done', details: { status: 201 } },
  ];
}

function valuesOf(texts: readonly string[]): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const idOf = (name: string, kind: number, raw: Uint8Array): string =>
    hex(hash(Buffer.from(name), Buffer.of(0x0a, kind), raw).subarray(0, 4));
  const leaves = texts.map(leafOf);
  const facts: readonly (readonly [string, string])[] = [
    ['key id, gateway, office’s log', idOf(ORIGIN, 1, gateway.raw)],
    ['key id, gateway, national log', idOf(NATIONAL, 1, gateway.raw)],
    ['key id, office, cosigner', idOf(`${ORIGIN}/cosigner`, 4, office.raw)],
    ['national leaves', leaves.map(hex).join('\n                                ')],
    ['national root', hex(rootOf(leaves))],
    ['path of leaf 0', pathOf(leaves, 0).map(hex).join('\n                                ')],
  ];
  return facts.map(([name, value]) => `${name.padEnd(32)}${value}\n`).join('');
}

/** The page with its made blocks as they must be. */
export function pageWith(page: string): string {
  const made = madeBlocks(page);
  return page.replaceAll(BLOCK, (whole, head: string, name: string) => {
    const text = made.get(name);
    return text === undefined ? whole : `${head}${text}\`\`\``;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, pageWith(readPage()));
