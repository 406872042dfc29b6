import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Jwk, Jwks } from '../../src/client/client.ts';
import { newParty } from '../support/filer.ts';
import { base64, type Case, Dice, type Verdict } from './cases.ts';
import { lies } from './crafted.ts';
import { judge } from './judge.ts';
import { contradicted, forged, mutators, untouched } from './mutations.ts';
import { collectOriginals, type Growth, type Originals } from './originals.ts';

const PROGRAM = fileURLToPath(new URL('verify.py', import.meta.url));
const CASES = 10_000;
const SEED = 20_261_122;

/** Every step that can fail. */
const REASONS =
  'ok form key signature issuer tree id digest leaf content line entry proof index origin cosignature older recovered office inclusion consistency';

/** How the changed cases divide; receipts take what is left. */
const SHARES = {
  content: 700,
  checkpoint: 1_000,
  proof: 1_200,
  national: 900,
  consistency: 600,
  entry: 900,
} as const;

const missing = [
  ['python3', '--version'],
  ['openssl', 'version'],
]
  .filter(([program, argument]) => spawnSync(program as string, [argument as string]).status !== 0)
  .map(([program]) => program);
const needs = missing.length === 0 ? '' : ` (not run: ${missing.join(' and ')} not found)`;

/** What verify.py says of each case, in order. */
async function ask(cases: readonly Case[]): Promise<Verdict[]> {
  const program = spawn('python3', [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  program.stdout.on('data', (part: Buffer) => out.push(part));
  program.stderr.on('data', (part: Buffer) => err.push(part));
  // A program that ends early breaks the pipe; its exit code and its words tell more.
  program.stdin.on('error', () => undefined);
  program.stdin.end(cases.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const [code] = await once(program, 'close');
  expect({ code, words: code === 0 ? '' : Buffer.concat(err).toString() }).toEqual({ code: 0, words: '' });
  const lines = Buffer.concat(out).toString().trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Verdict);
}

async function judgeAll(cases: readonly Case[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const one of cases) verdicts.push(await judge(one));
  return verdicts;
}

/** The examples of docs/verify.md, by the names of their code blocks, as cases. */
function examples(): Case[] {
  const page = readFileSync(new URL('../../docs/verify.md', import.meta.url), 'utf8');
  const blocks = new Map(
    [...page.matchAll(/^```\w+ ([\w-]+)\n([\s\S]*?)^```$/gm)].map(([, name, text]) => [name, text]),
  );
  const text = (name: string): string => blocks.get(name) ?? expect.fail(`no example ${name}`);
  const json = <T>(name: string): T => JSON.parse(text(name)) as T;
  const [jwks, filer] = [json<Jwks>('jwks'), json<Jwks>('filer')];
  const entry = json<{ index: number; leaf: string }>('entry');
  const [index, office] = [entry.index, '53501000000'];
  const [origin, issuer] = [`gateway.example/offices/${office}`, 'https://gateway.example'];
  const payload = base64(text('payload').trimEnd());
  return [
    { kind: 'content', jwks: filer, content: base64(text('filing').trimEnd()) },
    { kind: 'receipt', jwks, issuer, payload, receipt: base64(text('receipt')) },
    { kind: 'receipt', jwks, issuer, payload, receipt: base64(text('signed-receipt')) },
    { kind: 'entry', jwks: filer, office, index, entry: base64(text('entry')) },
    { kind: 'checkpoint', jwks, origin, note: base64(text('old-checkpoint')) },
    { kind: 'checkpoint', jwks, origin, note: base64(text('checkpoint')) },
    { kind: 'proof', jwks, origin, index, leaf: entry.leaf, proof: base64(text('proof')) },
    { kind: 'consistency', ...json<Growth>('consistency') },
    ...madeExamples(text, json, jwks),
  ];
}

function madeExamples(text: (name: string) => string, json: <T>(name: string) => T, jwks: Jwks): Case[] {
  const [made, cosigners, filers] = ['example-jwks', 'office-keys', 'mandate-keys'].map((name) => json<Jwks>(name)) as [
    Jwks,
    Jwks,
    Jwks,
  ];
  const [office, origin] = ['gateway.example/offices/53501000000', 'gateway.example/national'];
  const leaf = json<{ leaf: string }>('entry').leaf;
  const national = { kind: 'national', jwks: made, origin } as const;
  return [
    { kind: 'checkpoint', jwks, origin: office, note: base64(text('cosigned')), cosigners },
    { kind: 'checkpoint', jwks: made, origin: office, note: base64(text('recovered')) },
    { kind: 'proof', jwks, origin: office, index: 5, leaf, proof: base64(text('extra-proof')) },
    { ...national, office, proof: base64(text('national-proof')) },
    { ...national, office, proof: base64(text('recovery-proof')) },
    { kind: 'content', jwks: filers, content: base64(text('mandate').trimEnd()) },
  ];
}

describe.skipIf(missing.length > 0)(`verify.py, written from docs/verify.md${needs}`, () => {
  let all: Originals;

  beforeAll(async () => {
    all = await collectOriginals();
  });

  test('accepts every example of the page, as the client does', async () => {
    const cases = examples();
    const accepted = cases.map(() => ({ ok: true }));
    expect(await ask(cases)).toEqual(accepted);
    expect(await judgeAll(cases)).toEqual(accepted);
  });

  test('agrees with the client about ten thousand cases', async () => {
    const originals = untouched(all);
    const forger = newParty('91350100M000100Y43', 'EdDSA');
    const told = lies(all, forger);
    const false_ = [...forged(all, forger), ...contradicted(all, forger), ...told.map(([, one]) => one)];
    const make = mutators(all, originals, new Dice(SEED), forger.publicJwk as unknown as Jwk);
    const changed = Object.entries(SHARES).flatMap(([kind, count]) =>
      Array.from({ length: count }, make[kind as Case['kind']]),
    );
    const rest = CASES - originals.length - false_.length - changed.length;
    const cases = [...originals, ...false_, ...changed, ...Array.from({ length: rest }, make.receipt)];
    expect(cases).toHaveLength(CASES);

    const [theirs, ours] = await Promise.all([ask(cases), judgeAll(cases)]);
    expect(theirs).toHaveLength(CASES);
    const different = cases.flatMap((one, i) =>
      sameVerdict(theirs[i], ours[i]) ? [] : [{ one, python: theirs[i], client: ours[i] }],
    );
    expect(different.slice(0, 3)).toEqual([]);

    expect(cases.slice(0, originals.length).filter((_, i) => ours[i]?.ok !== true)).toEqual([]);
    const words = told.map(([word]) => word);
    const end = originals.length + false_.length;
    expect(ours.slice(end - told.length, end).map(({ reason }) => reason ?? 'ok')).toEqual(words);
    const reasons = new Set(ours.map(({ reason }) => reason ?? 'ok'));
    const expected = REASONS.split(' ');
    expect([...reasons].sort()).toEqual(expected.sort());
  }, 180_000);
});

const sameVerdict = (a: Verdict | undefined, b: Verdict | undefined): boolean =>
  a !== undefined && b !== undefined && a.ok === b.ok && a.reason === b.reason;
