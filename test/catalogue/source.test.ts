import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkInThread } from '../../src/catalogue/check-thread.ts';
import {
  difference,
  disappearances,
  duplicates,
  type SchemaTexts,
  textsToCheck,
} from '../../src/catalogue/contents.ts';
import { type Edition, RunningCatalogue } from '../../src/catalogue/running.ts';
import { CatalogueSource, type ReloadOutcome } from '../../src/catalogue/source.ts';
import { buildCatalogue, type Problem } from '../../src/domain/catalogue.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';
import { recordingLogger } from '../support/logger.ts';

/** For tests that compile many types: some seconds of CPU. */
const SLOW = { timeout: 180_000 };

const shipped: SchemaTexts = await readSchemaFiles();

function changed(file: string, from: string, to: string, texts = shipped): SchemaTexts {
  const text = texts.get(file) ?? '';
  expect(text).toContain(from);
  return new Map(texts).set(file, text.replaceAll(from, to));
}

function without(folder: string, texts = shipped): SchemaTexts {
  return new Map([...texts].filter(([file]) => !file.startsWith(`${folder}/`)));
}

const SEAL = 'psb/seal/type.json';
const renamed = changed(SEAL, 'Registration of seals', 'Seals');

interface Folder {
  texts: SchemaTexts | Error;
  problems: readonly Problem[] | Error;
}

/** A source over a folder that is in memory; its first reading is sound. */
async function open(folder: Folder, publish: (edition: Edition) => Promise<void> | void = () => {}) {
  const told: string[] = [];
  const log = recordingLogger();
  let checks = 0;
  const source = await CatalogueSource.open({
    log,
    publish,
    told: (outcome) => told.push(outcome),
    read: async () => settled(folder.texts),
    check: async () => {
      checks++;
      return settled(folder.problems);
    },
  });
  return { source, told, log, checks: () => checks };
}

function settled<T>(value: T | Error): T {
  if (value instanceof Error) throw value;
  return value;
}

const sound = (): Folder => ({ texts: shipped, problems: [] });

describe('a reload', () => {
  test('takes over what is sound, once, and says what it was', async () => {
    const folder = sound();
    const published: Edition[] = [];
    const { source, told } = await open(folder, (edition) => void published.push(edition));
    expect(await source.reload()).toMatchObject({ outcome: 'unchanged', types: 17 });
    folder.texts = renamed;
    expect(await source.reload()).toMatchObject({ outcome: 'adopted', added: [], changed: ['psb.seal'] });
    expect(await source.reload()).toMatchObject({ outcome: 'unchanged' });
    expect(published.map(({ n }) => n)).toEqual([2]);
    expect(source.edition).toBe(published[0]);
    expect(told).toEqual(['unchanged', 'adopted', 'unchanged']);
  });

  const fault: Problem = { file: SEAL, line: 7, message: { zh: '有误', en: 'it is wrong' } };

  test.each<[string, Partial<Folder>, ReloadOutcome['outcome'], RegExp]>([
    ['has faults', { texts: renamed, problems: [fault] }, 'refused', /schemas\/psb\/seal\/type\.json:7 it is wrong/],
    ['lacks a type', { texts: without('psb/seal') }, 'refused', /type psb\.seal may not be removed/],
    [
      'is gone',
      { texts: Object.assign(new Error('gone'), { code: 'ENOENT' }) },
      'refused',
      /cannot be read \(ENOENT\)/,
    ],
    ['makes the check die', { texts: renamed, problems: new Error('died') }, 'failed', /could not be checked/],
  ])('of a folder that %s leaves all as it is', async (_, change, outcome, words) => {
    const folder = sound();
    const { source, told, log } = await open(folder);
    const before = source.edition;
    Object.assign(folder, change);
    expect(await source.reload()).toMatchObject({ outcome });
    expect(source.edition).toBe(before);
    expect(told).toEqual([outcome]);
    expect(JSON.stringify(log.entries)).toMatch(words);
    Object.assign(folder, sound(), { texts: renamed });
    expect(await source.reload()).toMatchObject({ outcome: 'adopted' });
  });

  test('that cannot be put into force has changed nothing', async () => {
    const folder = sound();
    const { source } = await open(folder, () => Promise.reject(new Error('no')));
    folder.texts = renamed;
    expect(await source.reload()).toEqual({ outcome: 'failed' });
    expect(source.edition.texts).toBe(shipped);
  });

  test('that is asked for while another is under way comes after it, one for all who ask', SLOW, async () => {
    const folder = sound();
    const { source, checks } = await open(folder);
    const atStart = checks();
    folder.texts = renamed;
    const first = source.reload();
    const later = [source.reload(), source.reload(), source.reload()];
    expect((await first).outcome).toBe('adopted');
    expect(new Set((await Promise.all(later)).map(({ outcome }) => outcome))).toEqual(new Set(['unchanged']));
    expect(checks() - atStart).toBe(1);
  });
});

describe('what runs', () => {
  test('keeps the types whose texts are the same, and those that read none of what has changed', SLOW, async () => {
    const running = await RunningCatalogue.of({ n: 1, texts: shipped });
    const before = running.catalogue;
    const texts = changed('tax/fs/type.json', '"en": "', '"en": "The ', renamed);
    await running.adopt({ n: 2, texts });
    const replaced = [...before.types].filter(([name, type]) => running.catalogue.types.get(name) !== type);
    const readers = [...before.types.values()].filter((type) =>
      [...type.versions.values()].some(({ ruleSet }) =>
        Object.values(ruleSet.others).some((other) => ['psb.seal', 'tax.fs'].includes(other.type)),
      ),
    );
    const expected = new Set(['psb.seal', 'tax.fs', ...readers.map(({ metadata }) => metadata.type)]);
    expect(new Set(replaced.map(([name]) => name))).toEqual(expected);
    expect([...running.catalogue.types.keys()]).toEqual([...before.types.keys()]);
    expect(running.catalogue.types.get('psb.seal')?.metadata.title.en).toBe('Seals');
    for (const type of running.catalogue.types.values())
      for (const version of type.versions.values())
        expect(version.check(version.example)).toMatchObject({ errors: [], warnings: [] });
  });

  test('leaves out an edition that is older than its own', async () => {
    const running = await RunningCatalogue.of({ n: 3, texts: renamed });
    await running.adopt({ n: 2, texts: shipped });
    expect(running.texts).toBe(renamed);
  });
});

describe('contents', () => {
  test('differ by types, and by files outside of them', () => {
    const texts = new Map(renamed).set('calendar/2039.json', '{}');
    expect(difference(shipped, texts)).toEqual({
      added: [],
      changed: ['psb.seal'],
      otherFiles: ['calendar/2039.json'],
    });
    expect(difference(without('psb/seal'), shipped)).toMatchObject({ added: ['psb.seal'], changed: [] });
  });

  test('miss a version by its line, and a type that has moved to another folder not at all', () => {
    const other = changed(SEAL, '"version": "2026-01"', '"version": "2026-02"');
    expect(disappearances(shipped, other)).toMatchObject([
      { file: SEAL, line: 1 + (shipped.get(SEAL) ?? '').split('\n').findIndex((line) => line.includes('"versions"')) },
    ]);
    const moved = new Map([...shipped].map(([file, text]) => [file.replace('psb/seal/', 'psb/seals/'), text]));
    expect(disappearances(shipped, moved)).toEqual([]);
    expect(difference(shipped, moved).changed).toEqual(['psb.seal']);
  });
});

describe('what has to be checked', () => {
  const foldersOf = (texts: SchemaTexts): string[] =>
    [...texts.keys()].filter((file) => file.endsWith('/type.json')).map((file) => file.replace('/type.json', ''));

  test('is what has changed, what reads it, what both read, and what belongs to no type', () => {
    expect(foldersOf(textsToCheck(shipped, renamed))).toEqual(['psb/seal']);
    const vat = changed('tax/vat-general/type.json', 'VAT and surcharges', 'VAT', renamed);
    const folders = foldersOf(textsToCheck(shipped, vat));
    for (const folder of ['psb/seal', 'tax/vat-general', 'tax/fs']) expect(folders).toContain(folder);
    expect(folders).not.toContain('psb/lodging');
    expect([...textsToCheck(shipped, renamed).keys()]).toContain('calendar/2026.json');
    const stray = new Map(shipped).set('psb/notes.json', '{}').set('psb/seal/type.json', '{');
    expect([...textsToCheck(shipped, stray).keys()]).toEqual(expect.arrayContaining(['psb/notes.json', SEAL]));
  });

  test('finds faults that the whole would show', SLOW, () => {
    const check = (texts: SchemaTexts) => buildCatalogue(textsToCheck(shipped, texts)).problems ?? [];
    expect(check(without('tax/fs')).some(({ message }) => message.en.includes('there is no type tax.fs'))).toBe(true);
    expect(check(changed('tax/fs/2019-01/schema.json', '"balance', '"balanced')).length).toBeGreaterThan(0);
    expect(check(renamed)).toEqual([]);
  });

  test('is told of a type that is there twice', () => {
    const copy = [...shipped].flatMap(([file, text]): [string, string][] =>
      file.startsWith('psb/seal/') ? [[file.replace('psb/seal/', 'psb/another/'), text]] : [],
    );
    expect(duplicates(new Map([...shipped, ...copy]))).toMatchObject([
      { message: { en: 'type psb.seal is there twice' } },
    ]);
    expect(duplicates(shipped)).toEqual([]);
  });
});

describe('the thread of the check', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-thread-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const check = (code: string, limitMs = 60_000) => {
    const file = path.join(folder, `${code.length}.mjs`);
    writeFileSync(file, `import { parentPort, workerData } from 'node:worker_threads';\n${code}`);
    return checkInThread(shipped, { program: pathToFileURL(file), limitMs, megabytes: 64 });
  };

  test('gets the texts, and answers with what is wrong', async () => {
    expect(await check('parentPort.postMessage([workerData.files.size]);')).toEqual([shipped.size]);
  });

  test.each([
    ['ends without an answer', 'process.exit(3);', 60_000],
    ['throws', 'throw new Error("broken");', 60_000],
    ['runs out of memory', 'const all = []; for (;;) all.push(new Array(1e6).fill(all.length));', 60_000],
    ['never ends', 'for (;;);', 500],
  ])('that %s fails the check', async (_, code, limitMs) => {
    await expect(check(code, limitMs)).rejects.toThrow();
  });
});
