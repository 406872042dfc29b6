import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { laneOf } from '../../src/domain/filing.ts';
import { signedConsistency } from '../../src/log/consistency.ts';
import { HeadsFile, readHeadsFile, type SignedHead } from '../../src/log/heads-file.ts';
import { treeRoot } from '../../src/log/merkle.ts';
import { nationalRound } from '../../src/log/national.ts';
import { findLosses, recoverLogs } from '../../src/log/recover.ts';
import { compareHeads, refuseOlderDatabase } from '../../src/log/rollback.ts';
import { freshCheckpoint, newestCheckpoint } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { StartError } from '../../src/std/start-error.ts';
import { createOfficeLogs, type OfficeLogs } from './office-log.ts';
import { MTH } from './rfc-merkle.ts';

let logs: OfficeLogs;
let file: string;
let now = Date.parse('2026-11-20T08:00:00Z');

beforeAll(async () => {
  logs = await createOfficeLogs({ clock: { now: () => now, monotonic: () => performance.now() } });
  file = `${logs.headsFile}.test`;
  for (const [office, count] of Object.entries({ five: 5, grown: 400, empty: 0, forked: 6, shorter: 2, gone: 0 })) {
    if (office !== 'gone') await logs.addOffice(office);
    if (count > 0) await logs.file(office, count);
  }
  for (const office of ['five', 'forked', 'shorter']) await freshCheckpoint(logs.ctx, office);
  await nationalRound(logs.ctx);
});
afterAll(() => logs?.drop());
beforeEach(() => writeFileSync(file, ''));

const OTHER = sha256('another root');
const NOTHING = sha256('');

function line(office: string, size: number, root: Uint8Array, signedAt = 1_763_625_600_000): string {
  return `${office} ${size} ${Buffer.from(root).toString('base64')} ${signedAt}\n`;
}

async function leavesOf(office: string): Promise<Buffer[]> {
  const rows = await logs.database.db.sql<{ leaf: Buffer }[]>`
    SELECT leaf FROM filing WHERE office = ${office} ORDER BY idx`;
  return rows.map(({ leaf }) => leaf);
}

const rootOf = async (office: string, size: number): Promise<Uint8Array> =>
  treeRoot(sha256, (await leavesOf(office)).slice(0, size));

async function refusal(): Promise<{ zh: string; en: string } | undefined> {
  const before = readFileSync(file, 'utf8');
  try {
    await refuseOlderDatabase(logs.ctx, file);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(StartError);
    expect(readFileSync(file, 'utf8')).toBe(before);
    return (error as StartError).text;
  }
}

describe('a database is taken for the one that was signed for', () => {
  test('when it holds the heads, or more', async () => {
    const newest = line('five', 5, await rootOf('five', 5));
    const text = line('-', 0, NOTHING) + line('five', 3, await rootOf('five', 3)) + newest + line('empty', 0, NOTHING);
    appendFileSync(file, text);
    expect(await refusal()).toBeUndefined();
    expect(readFileSync(file, 'utf8')).toBe(line('-', 0, NOTHING) + newest + line('empty', 0, NOTHING));
  });

  test('by the leaves where it was never signed at that size, whether its tiles stand for them or not', async () => {
    appendFileSync(file, line('grown', 300, await rootOf('grown', 300)) + line('five', 4, await rootOf('five', 4)));
    expect(await refusal()).toBeUndefined();
    await freshCheckpoint(logs.ctx, 'grown');
    appendFileSync(file, line('grown', 399, await rootOf('grown', 399)));
    expect(await refusal()).toBeUndefined();
    expect((await readHeadsFile(file)).map(({ size }) => size)).toEqual([399, 4]);
  });
});

describe('a database is refused', () => {
  const cases: readonly [string, () => Promise<string>, string, string][] = [
    [
      'that lacks entries',
      async () => line('five', 6, OTHER),
      '机关 five：已签名 6 份，数据库只有 5 份',
      'office five: 6 entries were signed, the database has 5',
    ],
    [
      'that lacks an office',
      async () => line('nowhere', 2, OTHER),
      '机关 nowhere：已签名 2 份，数据库只有 0 份',
      'office nowhere: 2 entries were signed, the database has 0',
    ],
    [
      'with another root at a size that it signed',
      async () => line('five', 5, OTHER),
      '机关 five：已签名 5 份，数据库有 5 份，但前 5 份的树根不同',
      'office five: 5 entries were signed, the database has 5, and the root of the first 5 is another',
    ],
    [
      'with another root at a size that it never signed',
      async () => line('five', 2, OTHER),
      '机关 five：已签名 2 份，数据库有 5 份，但前 2 份的树根不同',
      'office five: 2 entries were signed, the database has 5, and the root of the first 2 is another',
    ],
    [
      'when two roots were signed for one size',
      async () => line('five', 5, await rootOf('five', 5)) + line('five', 5, OTHER),
      '但前 5 份的树根不同',
      'the root of the first 5 is another',
    ],
    [
      'that lacks entries of the national log',
      async () => line('-', 99, OTHER),
      '全国日志：已签名 99 份，数据库只有 3 份',
      'the national log: 99 entries were signed, the database has 3',
    ],
  ];
  test.each(cases)('%s', async (_, make, zh, en) => {
    writeFileSync(file, await make());
    const told = await refusal();
    expect(told?.zh).toContain(zh);
    expect(told?.en).toContain(en);
    for (const text of [told?.zh, told?.en]) expect(text).toContain('shenbao recover');
  });

  test('naming twenty logs at most', async () => {
    for (let i = 0; i < 25; i++) appendFileSync(file, line(`n${i}`, 1, OTHER));
    const told = await refusal();
    expect(told?.en.match(/entries were signed/g)).toHaveLength(20);
    expect(told?.en).toContain('and 5 more');
    expect(told?.zh).toContain('另有 5 个');
  });
});

test('a recovery goes on from what there is, also where the entries are others and where the office is gone', async () => {
  const lostRoot = sha256('lost');
  writeFileSync(file, line('forked', 4, OTHER) + line('shorter', 9, lostRoot) + line('gone', 3, OTHER));
  const losses = await findLosses(logs.ctx, file);
  const facts = losses.map(({ office, kind, kept }) => [office, kind, kept.size]);
  expect(facts).toEqual([
    ['forked', 'other', 0],
    ['shorter', 'shorter', 2],
    ['gone', 'shorter', 0],
  ]);
  await recoverLogs(logs.ctx, file, losses, '演练');
  expect((await readHeadsFile(file)).map(({ office, size }) => [office, size])).toEqual([
    ['forked', 0],
    ['shorter', 2],
    ['gone', 0],
  ]);
  expect(await refusal()).toBeUndefined();
  const extension = async (office: string): Promise<string | undefined> =>
    (await freshCheckpoint(logs.ctx, office)).note.split('\n')[3];
  expect(await extension('shorter')).toBe(`recovered 2 9 ${lostRoot.toString('base64')}`);
  expect(await extension('forked')).toBe(`recovered 0 4 ${OTHER.toString('base64')}`);
  expect(await extension('five')).toBe('');
  await expect(signedConsistency(logs.ctx, { office: 'shorter', from: 9, to: undefined })).rejects.toMatchObject({
    code: 'invalid-parameter',
    details: { detail: { en: expect.stringContaining('9 entries had been signed and the first 2 were kept') } },
  });
  expect((await signedConsistency(logs.ctx, { office: 'shorter', from: 1, to: 2 })).path).toHaveLength(1);

  const entries = await logs.database.db.sql<{ kind: string; office: string; text: string; leaf: Buffer }[]>`
    SELECT kind, office, text, leaf FROM national_entry ORDER BY idx`;
  const told = entries.filter(({ kind }) => kind === 'recovery');
  expect(told.map(({ office }) => office)).toEqual(['forked', 'shorter', 'gone']);
  for (const { text, leaf } of told) expect(leaf).toEqual(MTH([Buffer.from(text)]));
  const [signed] = await logs.database.db.sql<{ root: Buffer }[]>`
    SELECT root FROM checkpoint WHERE office = '' ORDER BY size DESC LIMIT 1`;
  expect(signed?.root).toEqual(MTH(entries.map(({ text }) => Buffer.from(text))));
});

test('a second loss is told beside the first, oldest first', async () => {
  now += 60_000;
  await logs.file('shorter', 1);
  await freshCheckpoint(logs.ctx, 'shorter');
  writeFileSync(file, line('shorter', 12, OTHER));
  await recoverLogs(logs.ctx, file, await findLosses(logs.ctx, file), '再次');
  const { note } = await freshCheckpoint(logs.ctx, 'shorter');
  const lines = [
    `recovered 2 9 ${sha256('lost').toString('base64')}`,
    `recovered 3 12 ${OTHER.toString('base64')}`,
    '',
  ];
  expect(note.split('\n').slice(3, 6)).toEqual(lines);
  writeFileSync(file, line('shorter', 8, OTHER));
  expect(await refusal()).toBeUndefined();
  expect((await readHeadsFile(file)).map(({ size }) => size)).toEqual([3]);
});

test('a loss after a recovery is a loss again, at sizes that were lost before too', async () => {
  writeFileSync(file, line('shorter', 8, OTHER, now + 60_000));
  expect((await refusal())?.en).toContain('office shorter: 8 entries were signed, the database has 3');
});

test('a checkpoint that another process signed leaves this one only when it stands outside the database here too', async () => {
  const guard = new HeadsFile(file);
  const { size, root } = (await newestCheckpoint({ ...logs.ctx, guard }, 'five')) ?? { size: 0, root: NOTHING };
  expect(await readHeadsFile(file)).toMatchObject([{ office: 'five', size, root }]);
  await guard.close();
  const unwritable = { ...logs.ctx, guard: new HeadsFile(`${file}/nowhere`) };
  for (const ask of [newestCheckpoint, freshCheckpoint])
    await expect(ask(unwritable, 'five')).rejects.toMatchObject({ code: 'unavailable' });
});

test('a log that shrinks under a gateway that runs is not signed any more', async () => {
  const { sql } = logs.database.db;
  await logs.addOffice('shrunk');
  await logs.file('shrunk', 4);
  await freshCheckpoint(logs.ctx, 'shrunk');
  await sql`DELETE FROM checkpoint WHERE office = 'shrunk'`;
  await sql`UPDATE office_tree SET size = 0 WHERE office = 'shrunk'`;
  await sql`DELETE FROM filing WHERE office = 'shrunk' AND idx >= 2`;
  await sql`UPDATE office_head SET size = 2 WHERE office = 'shrunk'`;
  await expect(freshCheckpoint(logs.ctx, 'shrunk')).rejects.toThrow('still has the 4 entries that were signed');
  // Nor by a process that has not signed it itself.
  const other = new HeadsFile(logs.headsFile);
  await expect(freshCheckpoint({ ...logs.ctx, guard: other }, 'shrunk')).rejects.toThrow('still has the 4 entries');
  // Nor when it has become as long again: its entries are others.
  await logs.file('shrunk', 3);
  for (const guard of [logs.ctx.guard, other])
    await expect(freshCheckpoint({ ...logs.ctx, guard }, 'shrunk')).rejects.toThrow(
      'still begins with the 4 entries that were signed',
    );
  const signed = (await readHeadsFile(logs.headsFile)).filter(({ office }) => office === 'shrunk');
  expect(signed.map(({ size }) => size)).toEqual([4]);
  await other.close();
});

test('a head that was signed long ago is held against the tiles, and nothing is signed when it is another', async () => {
  const { sql } = logs.database.db;
  await logs.addOffice('tiled');
  await logs.file('tiled', 600);
  await freshCheckpoint(logs.ctx, 'tiled');
  for (const [name, root, size] of [
    ['held', await rootOf('tiled', 5), 601],
    ['other', OTHER, 601],
  ] as const) {
    await logs.file('tiled', 1);
    const guard = new HeadsFile(`${file}.${name}`);
    await guard.record('tiled', { size: 5, root: Buffer.from(root), signedAt: now });
    const asked = freshCheckpoint({ ...logs.ctx, guard }, 'tiled');
    if (name === 'held') expect((await asked).size).toBe(size);
    else await expect(asked).rejects.toThrow('still begins with the 5 entries that were signed');
    const [stored] = await sql`
      SELECT (SELECT max(size) FROM checkpoint WHERE office = 'tiled') AS signed,
        (SELECT size FROM office_tree WHERE office = 'tiled') AS grown`;
    expect(stored).toEqual({ signed: size, grown: size });
    await guard.close();
  }
});

test('the head of an office is outside the database once the national log tells of it', async () => {
  await logs.addOffice('told');
  await logs.file('told', 2);
  // Signed by a gateway with a folder of its own.
  const elsewhere = new HeadsFile(`${file}.elsewhere`);
  await freshCheckpoint({ ...logs.ctx, guard: elsewhere }, 'told');
  await elsewhere.close();
  const heads = async () => (await readHeadsFile(logs.headsFile)).filter(({ office }) => office === 'told');
  expect(await heads()).toEqual([]);
  now += 3_600_000;
  await nationalRound(logs.ctx);
  expect((await heads()).map(({ size }) => size)).toEqual([2]);
});

test('a thousand offices are compared in one statement', async () => {
  const { sql } = logs.database.db;
  const offices = Array.from({ length: 1_000 }, (_, i) => `k${i}`);
  const heads = offices.map((office): SignedHead => ({ office, size: 1, root: sha256(office), signedAt: now }));
  const lanes = offices.map((office) => laneOf(office, logs.database.lanes));
  await sql`
    INSERT INTO office_head (lane, office, size, received_at, txid)
    SELECT lane, office, 1, now(), pg_current_xact_id()
    FROM unnest(${lanes}::smallint[], ${offices}::text[]) AS o (lane, office)`;
  await sql`
    INSERT INTO checkpoint (lane, office, size, root, note, signed_at)
    SELECT lane, office, 1, decode(root, 'base64'), 'note', now()
    FROM unnest(${lanes}::smallint[], ${offices}::text[],
      ${heads.map(({ root }) => root.toString('base64'))}::text[]) AS o (lane, office, root)`;
  const began = performance.now();
  let statements = 0;
  const counting = new Proxy(sql, {
    apply: (target, self, args) => {
      statements++;
      return Reflect.apply(target, self, args) as unknown;
    },
  });
  const { losses } = await compareHeads({ db: { sql: counting }, lanes: logs.database.lanes }, heads);
  process.stdout.write(`1,000 heads compared in ${Math.round(performance.now() - began)} ms\n`);
  expect(losses).toEqual([]);
  expect(statements).toBe(1);
});
