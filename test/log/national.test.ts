import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LogContext } from '../../src/log/context.ts';
import { readHeadsFile } from '../../src/log/heads-file.ts';
import { NATIONAL_LOG } from '../../src/log/logs.ts';
import {
  nationalCheckpoint,
  nationalConsistency,
  nationalEntries,
  nationalProof,
  nationalRound,
} from '../../src/log/national.ts';
import { startNationalTimer } from '../../src/log/national-timer.ts';
import { readTile } from '../../src/log/tiles.ts';
import { freshCheckpoint } from '../../src/log/tree.ts';
import { openDatabase } from '../../src/storage/db.ts';
import type { NationalRecord } from '../../src/storage/national.ts';
import { appendToTrail } from '../../src/trail/record.ts';
import { silentLogger } from '../support/logger.ts';
import { type VerifiedHead, verifyCheckpointNote } from './note-verifier.ts';
import { createOfficeLogs, type OfficeLogs } from './office-log.ts';
import { MTH, verifiesConsistency, verifiesInclusion } from './rfc-merkle.ts';

const HOST = 'gateway.example';
let logs: OfficeLogs;
let now = Date.parse('2026-11-20T08:00:00Z');
const aMinute = (): void => {
  now += 60_000;
};

beforeAll(async () => {
  logs = await createOfficeLogs({ clock: { now: () => now, monotonic: () => performance.now() } });
});
afterAll(() => logs?.drop());

async function allEntries(): Promise<NationalRecord[]> {
  const { parts } = await nationalEntries(logs.ctx, { from: 0, limit: 1_000_000 });
  const all: NationalRecord[] = [];
  for await (const part of parts) all.push(...part);
  return all;
}

function open(note: string, name = `${HOST}/national`): VerifiedHead {
  const rawKey = Buffer.from(logs.publicKey.export({ format: 'jwk' }).x as string, 'base64url');
  return verifyCheckpointNote(Buffer.from(note), name, rawKey);
}

const noteText = (note: string): string => note.slice(0, note.lastIndexOf('\n\n') + 1);
const textsOf = (entries: readonly NationalRecord[]): Buffer[] => entries.map(({ text }) => Buffer.from(text));

test('the empty log has a checkpoint, and no round makes anything of nothing', async () => {
  expect(open((await nationalCheckpoint(logs.ctx)).note)).toEqual({
    origin: `${HOST}/national`,
    size: 0n,
    root: MTH([]),
  });
  expect(await nationalRound(logs.ctx)).toBeUndefined();
  expect(await allEntries()).toEqual([]);
});

test('a round takes up the head of every office that changed, once', async () => {
  for (const office of ['b', 'a', 'quiet']) await logs.addOffice(office);
  await logs.file('a', 2);
  await logs.file('b', 3);
  const notes = [await freshCheckpoint(logs.ctx, 'a'), await freshCheckpoint(logs.ctx, 'b')].map(({ note }) => note);
  const signed = await nationalRound(logs.ctx);
  expect(await allEntries()).toMatchObject([
    { index: 0, kind: 'office', office: 'a', text: noteText(notes[0] as string), at: now },
    { index: 1, kind: 'office', office: 'b', text: noteText(notes[1] as string), at: now },
  ]);
  expect(signed).toEqual(await nationalCheckpoint(logs.ctx));
  aMinute();
  expect(await nationalRound(logs.ctx)).toBeUndefined();
  await logs.file('b', 1);
  const { note } = await freshCheckpoint(logs.ctx, 'b');
  await nationalRound(logs.ctx);
  now += 59_999;
  await logs.file('a', 1);
  await freshCheckpoint(logs.ctx, 'a');
  expect(await nationalRound(logs.ctx)).toBeUndefined();
  expect((await allEntries()).slice(2)).toMatchObject([{ office: 'b', text: noteText(note) }]);
});

test('a round takes up the end of the audit trail when it moved', async () => {
  aMinute();
  const event = { role: 'operator', party: 'p', action: 'a', target: 't', result: 'done', request: 'r' };
  await appendToTrail({ sql: logs.database.db.sql, clock: logs.ctx.clock }, [event, event]);
  await nationalRound(logs.ctx);
  const [row] = await logs.database.db.sql<{ hash: Buffer }[]>`SELECT hash FROM trail WHERE n = 2`;
  const entry = (await allEntries()).at(-1);
  expect(entry).toMatchObject({ kind: 'trail', office: '' });
  expect(entry?.text).toBe(`${HOST}/trail\n2\n${row?.hash.toString('base64')}\n`);
  aMinute();
  expect(await nationalRound(logs.ctx)).toBeUndefined();
});

test('several processes make one sequence, a round a minute, whose checkpoints all extend one another', async () => {
  const others = Array.from({ length: 2 }, () => openDatabase(logs.database.address, { connections: 3 }));
  const processes: LogContext[] = [logs.ctx, ...others.map((db) => ({ ...logs.ctx, db }))];
  const offices = Array.from({ length: 12 }, (_, i) => `o${i}`);
  for (const office of offices) await logs.addOffice(office);
  const before = (await nationalCheckpoint(logs.ctx)).size;
  for (let minute = 0; minute < 20; minute++) {
    aMinute();
    const grown = offices.filter((_, i) => (i + minute) % 3 === 0);
    for (const office of grown) await logs.file(office, 1 + (minute % 2));
    await Promise.all(grown.map((office) => freshCheckpoint(logs.ctx, office)));
    const made = await Promise.all(processes.map((ctx) => nationalRound(ctx)));
    expect(made.filter((checkpoint) => checkpoint !== undefined)).toHaveLength(1);
  }
  await Promise.all(others.map((db) => db.close()));

  const entries = await allEntries();
  expect(entries.map(({ index }) => index)).toEqual(entries.map((_, i) => i));
  expect(entries.length).toBe(before + 20 * 4);
  const texts = textsOf(entries);
  for (const { text, leaf } of entries) expect(leaf).toEqual(MTH([Buffer.from(text)]));
  const rows = await logs.database.db.sql<{ size: number; note: string; seconds: number }[]>`
    SELECT size, note, extract(epoch FROM signed_at)::float8 AS seconds FROM checkpoint WHERE office = '' ORDER BY size`;
  expect(rows.length).toBeGreaterThan(20);
  const times = rows.slice(1).map(({ seconds }) => seconds);
  times.slice(1).forEach((time, i) => {
    expect(time - (times[i] as number)).toBeGreaterThanOrEqual(60);
  });
  const heads = rows.map(({ note }) => open(note));
  for (const { size, root } of heads) expect(root).toEqual(MTH(texts.slice(0, Number(size))));
  const signed = heads.filter(({ size }) => size > 0n);
  for (const [i, first] of signed.entries()) {
    for (const second of signed.slice(i + 1)) {
      const [from, to] = [Number(first.size), Number(second.size)];
      const { path } = await nationalConsistency(logs.ctx, { from, to });
      const claim = { first: from, first_hash: first.root, second: to, second_hash: second.root };
      expect(verifiesConsistency({ ...claim, consistency_path: path })).toBe(true);
    }
  }
});

test('an office is proved under the newest checkpoint by its newest head, or by the first of a size', async () => {
  const entries = await allEntries();
  const own = entries.filter(({ office }) => office === 'o3');
  const sizes = own.map(({ text }) => Number(text.split('\n')[1]));
  expect(sizes.length).toBeGreaterThan(4);
  const prove = async (size?: number): Promise<number> => {
    const lines = (await nationalProof(logs.ctx, 'o3', size)).split('\n');
    const gap = lines.indexOf('');
    const index = Number(lines[2]?.replace('index ', ''));
    const text = Buffer.from(lines[1]?.replace('extra ', '') ?? '', 'base64');
    const { size: treeSize, root } = open(lines.slice(gap + 1).join('\n'));
    expect(lines[0]).toBe('c2sp.org/tlog-proof@v1');
    expect(text.toString()).toBe(entries[index]?.text);
    const path = lines.slice(3, gap).map((line) => Buffer.from(line, 'base64'));
    const facts = { hash: MTH([text]), leaf_index: index, tree_size: Number(treeSize), root_hash: root };
    expect(verifiesInclusion({ ...facts, inclusion_path: path })).toBe(true);
    return index;
  };
  expect(await prove()).toBe(own.at(-1)?.index);
  for (let size = 0; size <= (sizes.at(-1) as number); size++)
    expect(await prove(size)).toBe(own[sizes.findIndex((each) => each >= size)]?.index);
  await expect(nationalProof(logs.ctx, 'o3', 1 + (sizes.at(-1) as number))).rejects.toMatchObject({
    code: 'not-found',
  });
  await expect(nationalProof(logs.ctx, 'quiet', undefined)).rejects.toMatchObject({ code: 'not-found' });
  await expect(nationalProof(logs.ctx, 'nowhere', undefined)).rejects.toMatchObject({ code: 'not-found' });
});

test('nobody can make it sign a size by asking for a proof', async () => {
  const signed = async (): Promise<number[]> => {
    const rows = await logs.database.db.sql<{ size: number }[]>`
      SELECT size FROM checkpoint WHERE office = '' ORDER BY size`;
    return rows.map(({ size }) => size);
  };
  const before = await signed();
  const to = before.findLast((size) => !before.includes(size - 1) && size > 1) as number;
  await expect(nationalConsistency(logs.ctx, { from: 1, to: to - 1 })).rejects.toMatchObject({
    code: 'invalid-parameter',
    details: { detail: { en: expect.stringContaining('that was signed') } },
  });
  expect((await nationalConsistency(logs.ctx, { from: to - 1, to })).to).toBe(to);
  await expect(nationalConsistency(logs.ctx, { from: 1, to: 9_999 })).rejects.toMatchObject({
    details: { detail: { en: expect.stringContaining('newest checkpoint of this log') } },
  });
  expect(await signed()).toEqual(before);
});

test('its tiles are the hashes of its entries', async () => {
  const entries = await allEntries();
  const tile = await readTile(logs.ctx, NATIONAL_LOG, { level: 0, n: 0, width: entries.length });
  expect(tile).toEqual(Buffer.concat(entries.map(({ leaf }) => leaf)));
  expect(await readTile(logs.ctx, NATIONAL_LOG, { level: 0, n: 0, width: entries.length + 1 })).toBeUndefined();
});

test('an entry that was altered stops the log', async () => {
  aMinute();
  const { sql } = logs.database.db;
  const [{ leaf } = { leaf: Buffer.alloc(0) }] = await sql<{ leaf: Buffer }[]>`
    SELECT leaf FROM national_entry WHERE idx = 1`;
  await sql`UPDATE national_entry SET leaf = ${MTH([])} WHERE idx = 1`;
  await logs.file('a', 1);
  await freshCheckpoint(logs.ctx, 'a');
  await expect(nationalRound(logs.ctx)).rejects.toThrow('broken invariant: the national log still begins');
  await sql`UPDATE national_entry SET leaf = ${leaf} WHERE idx = 1`;
  expect((await nationalRound(logs.ctx))?.size).toBe((await allEntries()).length);
});

test('the timer goes on by itself, beside others, and after a failure', async () => {
  aMinute();
  const timers = [1, 2].map(() => startNationalTimer({ ...logs.ctx, log: silentLogger }, 20));
  const waitFor = async (office: string, size: number): Promise<void> => {
    const text = async (): Promise<string | undefined> =>
      (await allEntries()).findLast((entry) => entry.office === office)?.text;
    await expect.poll(text, { timeout: 30_000 }).toContain(`/${office}\n${size}\n`);
  };
  await logs.addOffice('timed');
  await logs.file('timed', 1);
  await freshCheckpoint(logs.ctx, 'timed');
  await waitFor('timed', 1);
  const { sql } = logs.database.db;
  await sql`ALTER TABLE national_entry RENAME TO hidden`;
  aMinute();
  await logs.file('timed', 1);
  await freshCheckpoint(logs.ctx, 'timed');
  await sql`ALTER TABLE hidden RENAME TO national_entry`;
  await waitFor('timed', 2);
  await Promise.all(timers.map((timer) => timer.stop()));
});

test('what was signed stands outside the database too, each log once a head', async () => {
  const heads = await readHeadsFile(logs.headsFile);
  const byOffice = new Map(heads.map(({ office, size, root }) => [office, { size, root }]));
  const { size, root } = await nationalCheckpoint(logs.ctx);
  expect(byOffice.get('')).toEqual({ size, root });
  const timed = await freshCheckpoint(logs.ctx, 'timed');
  expect(byOffice.get('timed')).toEqual({ size: 2, root: timed.root });
  expect(byOffice.size).toBe(heads.length);
});
