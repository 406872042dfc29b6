import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKey, importSigningKey, type Jwk, publicJwk, signManifest } from '../../src/client/client.ts';
import {
  b64u,
  checkpointOver,
  type GatewayKeys,
  gatewayKeys,
  hash,
  ISSUER,
  type LoggedFiling,
  leafOf,
  logFilings,
  OFFICE,
  pathOf,
  receiptsFor,
  rootOf,
} from '../client/office-fixture.ts';
import { PROOF } from '../log/rfc-merkle.ts';
import {
  cosignature,
  headText,
  keyOf,
  nationalProofs,
  note,
  recoveredLine,
  type SeededKey,
  seededKey,
  setOf,
  textOf,
  tlogProof,
} from '../verify/workshop.ts';
import { jsonLines, type Run, start } from './support.ts';

// Everything here is made beside the gateway, and every run is offline: nothing answers at the gateway's address.

const SIZE = 7;
const INDEX = 3;
const ORIGIN = `gateway.example/offices/${OFFICE}`;
const NATIONAL = 'gateway.example/national';

let folder: string;
let gateway: GatewayKeys;
let key: SeededKey;
let filings: LoggedFiling[];
let filer: Jwk;
const office = seededKey('office');

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-verify-'));
  gateway = await gatewayKeys();
  key = keyOf(createPrivateKey({ key: gateway.jwk as never, format: 'jwk' }));
  filer = await generateKey('ES256', '91350100M000100Y43');
  filings = await logFilings(SIZE, filer);
  const leaves = filings.map(({ leaf }) => leaf);
  const checkpoint = await checkpointOver(gateway.jwk, leaves);
  const cosigned = `${checkpoint}${cosignature(checkpoint, 1_795_000_000, office)}`;
  const receipt = (await receiptsFor(gateway.jwk, filings))[INDEX];
  const texts = [textOf(checkpoint), `gateway.example/trail\n4\n${hash().toString('base64')}\n`];
  write('jwks.json', gateway.jwks);
  write('keys.json', { keys: [publicJwk(filer), ...setOf(office).keys] });
  write('receipt.json', receipt);
  write('content.jws', String(filings[INDEX]?.entry.jws));
  write('other.jws', String(filings[0]?.entry.jws));
  write('proof.txt', tlogProof({ index: INDEX, path: pathOf(leaves, INDEX), checkpoint: cosigned }));
  write('checkpoint.txt', cosigned);
  write('older.txt', await checkpointOver(gateway.jwk, leaves.slice(0, 5)));
  write('consistency.json', { from: 5, to: SIZE, path: consistency(leaves), checkpoint });
  write('national.txt', nationalProofs(texts, NATIONAL, key)[0] as string);
  write('entries-a.ndjson', lines(filings.slice(0, 4)));
  write('entries-b.ndjson', lines(filings.slice(4)));
  const national = texts.map((text, index) => ({ index, kind: 'office', text, leaf: b64u(leafOf(text)) }));
  write('national.ndjson', `${national.map((line) => JSON.stringify(line)).join('\n')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Text as it stands, anything else as JSON. */
function write(name: string, value: unknown): void {
  writeFileSync(path.join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
}

const lines = (some: readonly LoggedFiling[]): string => some.map(({ entry }) => `${JSON.stringify(entry)}\n`).join('');

/** From the fifth entry on. */
function consistency(leaves: readonly Buffer[]): string[] {
  // The second implementation wants entries, and has leaves here: the same tree one level up.
  const at = leaves.map((_, i) => filings[i] as LoggedFiling);
  const faces = at.map(({ entry, payload, salt }) => faceOf(entry, payload, salt));
  return PROOF(5, faces).map(b64u);
}

/** What a leaf is the hash of. */
function faceOf(entry: LoggedFiling['entry'], payload: Buffer, salt: Buffer): Buffer {
  const { id, index, receivedAt } = entry;
  const commit = b64u(hash(salt, payload));
  return Buffer.from(JSON.stringify({ commit, id, index, office: OFFICE, receivedAt, v: 1 }));
}

const verify = (files: readonly string[], ...more: readonly string[]): Promise<Run> => {
  const named = files.map((file) => path.join(folder, file));
  const options = ['--jwks', path.join(folder, 'jwks.json'), '--gateway', 'http://127.0.0.1:1', '--wait', '0'];
  return start(['verify', ...named, ...options, ...more]).result;
};
const keys = (): string[] => ['--keys', path.join(folder, 'keys.json')];

const EVERYTHING = [
  'receipt.json',
  'content.jws',
  'proof.txt',
  'checkpoint.txt',
  'older.txt',
  'consistency.json',
  'national.txt',
  'entries-b.ndjson',
  'entries-a.ndjson',
  'national.ndjson',
];

describe('verify', () => {
  test('takes everything together, offline, and holds it against each other', async () => {
    const run = await verify(EVERYTHING, ...keys(), '--json');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const reports = jsonLines(run) as { kind: string; ok: boolean; steps: { step: string }[]; notes: unknown[] }[];
    expect(reports.map(({ kind }) => kind).sort()).toEqual(
      'checkpoint checkpoint consistency content entries national-entries proof proof receipt together'.split(' '),
    );
    const steps = (kind: string): string[] =>
      reports.filter((one) => one.kind === kind).flatMap((one) => one.steps.map(({ step }) => step));
    expect(steps('receipt')).toEqual('form key signature issuer tree id digest leaf content'.split(' '));
    expect(steps('content')).toEqual(['form', 'key', 'signature']);
    expect(steps('consistency')).toEqual(['signature', 'form', 'origin', 'older', 'consistency']);
    expect(steps('entries')).toEqual(['order', 'entry', 'signed']);
    expect(steps('checkpoint')).toContain('cosignature');
    expect(steps('proof')).toEqual(expect.arrayContaining(['index', 'leaf', 'cosignature', 'entry', 'inclusion']));
    expect(new Set(steps('together'))).toEqual(new Set(['agree', 'root', 'logged']));
    expect(reports.flatMap(({ notes }) => notes)).toEqual([]);
  });

  test.each(['zh', 'en'])('says in %s what was computed, what it was compared with, and why', async (language) => {
    const run = await verify(EVERYTHING, ...keys(), '--lang', language);
    expect(run.code).toBe(0);
    const said = run.stdout.split('\n');
    const steps = said.flatMap((line, i) => (line.startsWith('  ✓') ? [said[i + 1] as string] : []));
    expect(steps.length).toBeGreaterThan(40);
    const script = language === 'zh' ? /^ {4}.*\p{Script=Han}.*[；，。]/u : /^ {4}[A-Z][^\p{Script=Han}]+$/u;
    for (const reason of steps) expect(reason).toMatch(script);
    expect(run.stdout).toMatch(language === 'zh' ? /算得: / : /computed: /);
    expect(run.stdout).toMatch(language === 'zh' ? /各文件相互一致/ : /the documents agree with each other/);
  });

  test('says what it could not check', async () => {
    const alone = await verify(['receipt.json', 'content.jws', 'proof.txt', 'older.txt'], '--lang', 'en');
    expect(alone.code).toBe(0);
    expect(alone.stdout).toMatch(/cosignature, which was not checked: give the office’s keys/);
    expect(alone.stdout).toMatch(/the filer’s own signature was not checked/);
    expect(alone.stdout).toMatch(/checkpoints of different sizes were not compared/);
    const [partial, lonely] = await Promise.all([verify(['entries-b.ndjson']), verify(['consistency.json'])]);
    expect(partial).toMatchObject({ code: 0, stdout: expect.stringMatching(/do not begin with index 0/) });
    expect(lonely).toMatchObject({ code: 0, stdout: expect.stringMatching(/no earlier checkpoint to compare with/) });
  });

  test('finds whatever was altered, and names the step', async () => {
    const { entry } = filings[INDEX] as LoggedFiling;
    const leaves = filings.map(({ leaf }) => leaf);
    const others = leaves.with(1, hash(Buffer.from('other')));
    const checkpoint = await checkpointOver(gateway.jwk, leaves);
    const rewritten = await checkpointOver(gateway.jwk, others);
    const [first] = JSON.parse(JSON.stringify(await receiptsFor(gateway.jwk, filings))) as { statement: object }[];
    write('lie.json', { ...first, statement: { ...first?.statement, type: 'amr.recall' } });
    write('rewritten.txt', rewritten);
    write('short.ndjson', lines([...filings.slice(0, 2), ...filings.slice(3)]));
    write(
      'altered.ndjson',
      `${lines(filings.slice(0, 2))}${JSON.stringify({ ...entry, index: 2, id: `${OFFICE}.2` })}\n`,
    );
    write('misnumbered.ndjson', `${lines(filings.slice(0, 2))}${JSON.stringify({ ...filings[2]?.entry, index: 9 })}\n`);
    write('foreign.txt', `${checkpoint}${cosignature(checkpoint, 1, seededKey('foreign'))}`);
    write('proof-2.txt', tlogProof({ index: 2, path: pathOf(leaves, 2), checkpoint }));
    write('proof-off.txt', tlogProof({ index: INDEX, path: pathOf(others, INDEX), checkpoint }));
    write('off.json', { from: 5, path: [b64u(hash())], checkpoint });
    write('false.txt', nationalProofs([headText(ORIGIN, SIZE, rootOf(others))], NATIONAL, key)[0] as string);
    const six = rootOf(leaves.slice(0, 6));
    const recovered = note(headText(ORIGIN, 6, six, recoveredLine(4, { size: 9, root: hash() })), key);
    write('lost.txt', recovered);
    write('lost.json', { from: 5, path: [], checkpoint: recovered });
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ['tree', ['lie.json']],
      ['digest', ['receipt.json', 'other.jws']],
      ['content', ['receipt.json', 'content.jws', 'other.jws']],
      ['agree', ['checkpoint.txt', 'rewritten.txt']],
      ['agree', ['checkpoint.txt', 'false.txt']],
      ['root', ['rewritten.txt', 'entries-a.ndjson', 'entries-b.ndjson']],
      ['order', ['short.ndjson']],
      ['order', ['misnumbered.ndjson']],
      ['entry', ['altered.ndjson']],
      ['cosignature', ['foreign.txt']],
      ['index', ['receipt.json', 'proof-2.txt']],
      ['inclusion', ['receipt.json', 'proof-off.txt']],
      ['consistency', ['older.txt', 'off.json']],
      ['recovered', ['older.txt', 'lost.json']],
    ];
    for (const [step, files] of cases) {
      const run = await verify(files, ...keys(), '--json');
      const failed = (jsonLines(run) as { steps: { step: string; ok: boolean }[] }[])
        .flatMap(({ steps }) => steps)
        .filter(({ ok }) => !ok);
      expect({ step, code: run.code, failed: failed.map((one) => one.step) }).toEqual({
        step,
        code: 1,
        failed: [step],
      });
    }
    const another = await verify(['checkpoint.txt'], '--issuer', 'https://another.example', '--lang', 'en');
    expect(another).toMatchObject({ code: 1, stdout: expect.stringMatching(/✗.*\n.*[\s\S]*NOT valid/) });
    expect((await verify(['lost.txt'], '--lang', 'en')).stdout).toMatch(/"kept":4,"lost":9/);
  }, 60_000);

  test('opens bulk form B, and filings with the office’s cosignature in them', async () => {
    const payloads = [filings[INDEX]?.payload as Buffer, Buffer.from('{}')];
    const manifest = await signManifest(payloads, await importSigningKey(filer), ISSUER);
    const leaves = payloads.map(leafOf);
    write('bulk.json', { payload: b64u(payloads[0] as Buffer), manifest, line: 0, path: pathOf(leaves, 0).map(b64u) });
    const checkpoint = await checkpointOver(gateway.jwk, filings.map(({ leaf }) => leaf)); // biome-ignore format: one line
    const cosigned = `${checkpoint}${cosignature(checkpoint, 1_795_000_000, office)}`;
    const [receipt] = (await receiptsFor(gateway.jwk, filings)).slice(INDEX);
    const delivery = {
      at: '',
      size: SIZE,
      cosignature: { kid: office.jwk.kid, at: '', size: SIZE, checkpoint: cosigned },
    };
    write('filing.json', { id: `${OFFICE}.${INDEX}`, receipt, delivery });
    const run = await verify(['filing.json', 'bulk.json'], ...keys(), '--json');
    expect(run.code).toBe(0);
    const steps = (jsonLines(run) as { steps: { step: string }[] }[]).flatMap((one) =>
      one.steps.map(({ step }) => step),
    );
    expect(steps).toEqual(expect.arrayContaining(['digest', 'line', 'cosignature']));
  });
});

describe('verify refuses with exit code 2, and says why,', () => {
  test.each([
    ['a file that is not there', ['nothing.json'], /no such file/],
    ['a folder', ['.'], /a folder, where a file is needed/],
    ['what is not recognised', ['binary'], /binary: not recognised: no receipt, content, checkpoint, proof/],
    ['an empty file', ['empty'], /empty: not recognised/],
    ['one such among good ones', ['receipt.json', 'binary'], /binary: not recognised/],
    ['a proof without what it is about', ['proof.txt'], /give the filing that it proves too/],
    ['content without its receipt', ['content.jws'], /give its receipt too/],
    ['keys alone', ['jwks.json'], /keys only, and nothing to verify/],
  ])('%s', async (_, files, message) => {
    write('binary', '\u0000\u0001\u0002\u00ff');
    write('empty', '');
    const run = await verify(files, '--lang', 'en');
    expect(run).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  });
});
