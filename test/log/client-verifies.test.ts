import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Jwk,
  type Jwks,
  verifyCheckpoint,
  verifyNationalEntries,
  verifyNationalProof,
  verifyProof,
} from '../../src/client/client.ts';
import { signedConsistency } from '../../src/log/consistency.ts';
import { nationalEntries, nationalProof, nationalRound } from '../../src/log/national.ts';
import { filingProof } from '../../src/log/proof.ts';
import { findLosses, recoverLogs } from '../../src/log/recover.ts';
import { freshCheckpoint } from '../../src/log/tree.ts';
import { sha256, toBase64url } from '../../src/std/bytes.ts';
import { appendToTrail } from '../../src/trail/record.ts';
import { createOfficeLogs, ISSUER, type OfficeLogs } from './office-log.ts';

// What the log's own verbs make, on a real database, is what the client takes: proofs, national proofs, recoveries.

const BASE = new URL(ISSUER).host;
const [ORIGIN, NATIONAL] = [`${BASE}/offices/read`, `${BASE}/national`];
let logs: OfficeLogs;
let jwks: Jwks;
let now = Date.parse('2026-11-22T08:00:00Z');

beforeAll(async () => {
  logs = await createOfficeLogs({ clock: { now: () => now, monotonic: () => performance.now() } });
  jwks = { keys: [logs.publicKey.export({ format: 'jwk' }) as Jwk] };
  await logs.addOffice('read');
  await logs.file('read', 5);
  await freshCheckpoint(logs.ctx, 'read');
});
afterAll(() => logs?.drop());

async function leafAt(index: number): Promise<string> {
  const [row] = await logs.database.db.sql<{ leaf: Buffer }[]>`
    SELECT leaf FROM filing WHERE office = 'read' AND idx = ${index}`;
  return toBase64url(row?.leaf as Buffer);
}

async function nationalLines(): Promise<object[]> {
  const all: object[] = [];
  const { parts } = await nationalEntries(logs.ctx, { from: 0, limit: 1_000 });
  for await (const part of parts) all.push(...part.map(({ leaf, ...rest }) => ({ ...rest, leaf: toBase64url(leaf) })));
  return all;
}

test('a filing’s proof, and a checkpoint that goes on from an earlier one', async () => {
  const older = (await freshCheckpoint(logs.ctx, 'read')).note;
  await logs.file('read', 4);
  const { path, checkpoint } = await signedConsistency(logs.ctx, { office: 'read', from: 5, to: undefined });
  const proof = await filingProof(logs.ctx, 'read', 6);
  expect(await verifyProof(proof, jwks, { origin: ORIGIN, index: 6, leaf: await leafAt(6) })).toMatchObject({
    ok: true,
  });
  const wrong = { origin: ORIGIN, index: 6, leaf: await leafAt(5) };
  expect(await verifyProof(proof, jwks, wrong)).toMatchObject({ ok: false, reason: 'inclusion' });
  const options = { origin: ORIGIN, older: { note: older, path: path.map(toBase64url) } };
  expect(await verifyCheckpoint(checkpoint, jwks, options)).toMatchObject({ ok: true, size: 9, recoveries: [] });
});

test('the national proof of an office, and all entries of the national log', async () => {
  await appendToTrail({ sql: logs.database.db.sql, clock: logs.ctx.clock }, [
    { role: 'operator', party: 'p', action: 'a', target: 't', result: 'done', request: 'r' },
  ]);
  now += 60_000;
  await nationalRound(logs.ctx);
  const proof = await nationalProof(logs.ctx, 'read', undefined);
  const report = await verifyNationalProof(proof, jwks, { origin: NATIONAL, office: ORIGIN });
  const { root } = await freshCheckpoint(logs.ctx, 'read');
  expect(report).toMatchObject({ ok: true, entry: { kind: 'office', size: 9, root: toBase64url(root) } });
  const read = await verifyNationalEntries(await nationalLines(), NATIONAL);
  expect(read).toMatchObject({ ok: true });
  if (report.ok) expect(read.roots.get(report.head.size)).toBe(report.head.root);
});

test('a recovery, to who holds more than was kept', async () => {
  const lost = sha256('lost');
  writeFileSync(logs.headsFile, `read 20 ${lost.toString('base64')} ${now}\n`);
  await recoverLogs(logs.ctx, logs.headsFile, await findLosses(logs.ctx, logs.headsFile), '演练');
  await logs.file('read', 3);
  const { note } = await freshCheckpoint(logs.ctx, 'read');
  const recovery = { kept: 9, lost: 20, lostRoot: toBase64url(lost) };
  expect(await verifyCheckpoint(note, jwks, { origin: ORIGIN })).toMatchObject({ ok: true, recoveries: [recovery] });
  const held = await logs.ctx.signer.sign(Buffer.from(`${ORIGIN}\n20\n${lost.toString('base64')}\n`));
  const keyId = Buffer.from(note.split(' ').at(-1) as string, 'base64').subarray(0, 4);
  const kept = `${ORIGIN}\n20\n${lost.toString('base64')}\n\n— ${ORIGIN} ${Buffer.concat([keyId, held]).toString('base64')}\n`;
  const report = await verifyCheckpoint(note, jwks, { origin: ORIGIN, older: { note: kept, path: [] } });
  expect(report).toMatchObject({ ok: false, reason: 'recovered' });
  now += 60_000;
  await nationalRound(logs.ctx);
  expect(await verifyNationalEntries(await nationalLines(), NATIONAL)).toMatchObject({ ok: true });
  const told = await verifyNationalProof(await nationalProof(logs.ctx, 'read', undefined), jwks, { origin: NATIONAL });
  expect(told).toMatchObject({ ok: true, entry: { kind: 'office', size: 12, recoveries: [recovery] } });
});
