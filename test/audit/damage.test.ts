import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { FINDING_KINDS } from '../../src/audit/findings.ts';
import { Mender } from './damage.ts';
import { LOG_DAMAGES } from './damages.ts';
import { OTHER_DAMAGES } from './damages-beside.ts';
import { type AuditWorld, auditWorld, createAuditWorld, MAIN, placesOf } from './world.ts';

let world: AuditWorld;
let mender: Mender;
beforeAll(async () => {
  world = await createAuditWorld();
  mender = await Mender.of(world.database);
});
afterEach(() => mender.mend());
afterAll(() => world?.drop());

const seen = new Set<string>();

test.each([...LOG_DAMAGES, ...OTHER_DAMAGES])(
  'found, and nothing else: $name',
  async ({ statements, finds, signatures = false }) => {
    await mender.damage(statements(world.ids));
    const { findings } = await auditWorld(world, { signatures });
    for (const { kind } of findings) seen.add(kind);
    expect(placesOf(findings)).toEqual([...finds(world.ids)].sort());
    for (const { what, means } of findings)
      for (const { zh, en } of [what, means])
        expect([zh, en]).toEqual([expect.stringMatching(/[一-鿿]/), expect.stringMatching(/[a-z]/)]);
  },
);

test('a key of the gateway: everything that it signed', async () => {
  await mender.damage(
    "UPDATE gateway_key SET kid = CASE left(kid, 1) WHEN 'x' THEN 'y' ELSE 'x' END || substr(kid, 2)",
  );
  const { findings } = await auditWorld(world);
  const kinds = new Set(findings.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(['checkpoint-note', 'gateway-key', 'tick-signature']);
  seen.add('gateway-key');
});

test('a key that was revoked: every filing that was received ten seconds after that, and none before', async () => {
  const [limit] = await world.database.db.sql<{ at: string; later: number }[]>`
    SELECT p.received_at AS at,
      (SELECT count(*) FROM filing f JOIN party_key k ON k.kid = f.kid WHERE k.alg = 'ES256' AND f.received_at > p.received_at) AS later
    FROM filing p WHERE office = ${MAIN} AND idx = 119`;
  await mender.damage(
    `UPDATE party_key SET revoked_at = '${limit?.at}'::timestamptz + interval '1 ms' - interval '10 s' WHERE alg = 'ES256'`,
  );
  const { findings } = await auditWorld(world, { signatures: true });
  expect(new Set(findings.map(({ kind }) => kind))).toEqual(new Set(['signing-key']));
  expect(findings.length).toBe(limit?.later);
  seen.add('signing-key');
});

test('a key is good for ten seconds on both sides of its time, and not longer', async () => {
  const ofKey = "FROM filing f JOIN party_key k ON k.kid = f.kid WHERE k.alg = 'ES256'";
  const bounds = [
    { set: "not_before = min + interval '10 s'", found: 'false' },
    { set: "not_before = min + interval '10.001 s'", found: 'f.received_at = min' },
    { set: "not_after = max - interval '10 s'", found: 'false' },
    { set: "not_after = max - interval '10.001 s'", found: 'f.received_at = max' },
    { set: "revoked_at = max - interval '9.999 s'", found: 'false' },
    { set: "revoked_at = max - interval '10 s'", found: 'f.received_at = max' },
  ];
  for (const { set, found } of bounds) {
    const times = `(SELECT min(f.received_at), max(f.received_at) ${ofKey}) t`;
    const [expected] = await world.database.db.sql.unsafe<{ count: number }[]>(
      `SELECT count(*) AS count FROM ${times}, LATERAL (SELECT 1 ${ofKey} AND ${found}) each`,
    );
    if (found !== 'false') expect(expected?.count).toBeGreaterThan(0);
    await mender.damage(`UPDATE party_key SET ${set} FROM ${times} WHERE alg = 'ES256'`);
    const { findings } = await auditWorld(world, { signatures: true });
    expect(findings.filter(({ kind }) => kind !== 'signing-key')).toEqual([]);
    expect(findings.length, set).toBe(expected?.count);
    await mender.mend(['party_key']);
  }
});

test('a time of receipt that runs backwards, though all of it is signed', async () => {
  const id = await world.commitBackwards();
  const { findings } = await auditWorld(world);
  expect(placesOf(findings)).toEqual([`order ${id}`]);
  seen.add('order');
});

test('every kind of finding has been seen', () => {
  expect([...seen].sort()).toEqual([...FINDING_KINDS].sort());
});
