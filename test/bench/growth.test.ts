import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FillPlan, fillShare, officesOf } from '../../bench/fill-share.ts';
import { explainProbes, timeLookups } from '../../bench/growth-plans.ts';
import { PROBES } from '../../bench/growth-probes.ts';
import { makeKey, publicHalf } from '../../bench/keys.ts';
import { QuickSigner } from '../../bench/quick-sign.ts';
import { audit } from '../../src/audit/audit.ts';
import type { Finding } from '../../src/audit/findings.ts';
import { putOffice } from '../../src/identity/put-office.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { openSigner } from '../../src/identity/signer.ts';
import { systemClock } from '../../src/std/clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const PLAN: FillPlan = {
  corpus: { seed: 'growth', filers: 300, offices: 3, shape: 'usual' },
  issuer: 'https://gateway.example',
  filings: 1_000,
  tick: 40,
};
const SHARES = [0, 1].map((number) => ({ number, of: 2 }));

let database: TestDatabase;
let dataDir: string;
const stored: number[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'shenbao-fill-'));
  const { db, lanes } = database;
  await db.sql`UPDATE meta SET value = 'production' WHERE name = 'env'`;
  for (const office of SHARES.flatMap((share) => officesOf(PLAN, share))) {
    const identity = { db, clock: systemClock, issuer: PLAN.issuer };
    await putOffice(identity, { office, agency: 'tax', region: '350100', name: { zh: '局', en: 'Bureau' } });
    await putParty(identity, { id: office, kind: 'office', name: '局' });
  }
  const signer = await openSigner({ db, clock: systemClock, random: randomBytes, dataDir });
  for (const share of SHARES)
    await fillShare({ db, lanes, signer, dataDir }, PLAN, share, (filings) => stored.push(filings));
  // Again: nothing is left to do.
  for (const share of SHARES) await fillShare({ db, lanes, signer, dataDir }, PLAN, share, () => {});
  await db.sql.unsafe('ANALYZE');
});
afterAll(async () => {
  await database.drop();
  rmSync(dataDir, { recursive: true, force: true });
});

test('a signature with the nonce of all is one that anybody verifies', () => {
  for (let i = 0; i < 20; i++) {
    const key = makeKey('quick', i);
    const jws = new QuickSigner(key, 'issuer').sign(Buffer.from(`payload ${i}`));
    const end = jws.lastIndexOf('.');
    const publicKey = createPublicKey({ key: { ...publicHalf(key) }, format: 'jwk' });
    const signature = Buffer.from(jws.slice(end + 1), 'base64url');
    const holds = (text: string): boolean =>
      verify('sha256', Buffer.from(text), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    expect(holds(jws.slice(0, end))).toBe(true);
    expect(holds(`${jws.slice(0, end)}x`)).toBe(false);
  }
});

test('what is filled in passes the audit, filers’ signatures included', async () => {
  expect(stored.reduce((sum, filings) => sum + filings, 0)).toBe(PLAN.filings);
  const found: Finding[] = [];
  const summary = await audit({
    address: database.address,
    clock: systemClock,
    signatures: true,
    threads: 0,
    onFinding: (finding) => found.push(finding),
    onProgress: () => {},
    onResume: () => {},
  });
  expect(found).toEqual([]);
  expect(summary).toMatchObject({ filings: PLAN.filings, offices: PLAN.corpus.offices, isWhole: true });
});

test('every statement that reads a table that grows finds an index for it', async () => {
  const plans = await explainProbes(database.address, 'index');
  expect(plans.map(({ statement }) => statement)).toEqual(PROBES.map(({ name }) => name));
  expect(plans.filter(({ scanned }) => scanned.length > 0)).toEqual([]);
  const byId = plans.find(({ statement }) => statement === 'filing by id');
  expect(byId?.reads).toEqual(['Index Scan filing_pk', 'Index Scan tick_pk']);
});

test('lookups are timed by keys that are there', async () => {
  const times = await timeLookups(database.address, 5);
  expect(times.map(({ lookup }) => lookup)).toEqual(PROBES.filter((probe) => probe.isLookup).map(({ name }) => name));
});
