import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { FINDING_KINDS } from '../../src/audit/findings.ts';
import { Mender } from './damage.ts';
import { type AuditWorld, auditWorld, createAuditWorld, EMPTY, MAIN, placesOf, SECOND } from './world.ts';

let world: AuditWorld;
let mender: Mender;
beforeAll(async () => {
  world = await createAuditWorld();
  mender = await Mender.of(world.database);
});
afterEach(() => mender.mend());
afterAll(() => world?.drop());

/** A filing as a condition. */
const at = (id: string): string => {
  const [office, index] = id.split('.');
  return `office = '${office}' AND idx = ${index}`;
};
const flip = (column: string, bit = 3): string =>
  `${column} = set_bit(${column}, ${bit}, 1 - get_bit(${column}, ${bit}))`;
const replace = (column: string, from: string, to: string): string =>
  `${column} = replace(${column}, '${from}', '${to}')`;
/** Another character at a place of a text. */
const letter = (column: string, place: number | string): string =>
  `${column} = overlay(${column} PLACING CASE substr(${column}, ${place}, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM ${place})`;

/** The filing after it. */
const after = (id: string): string => `${MAIN}.${Number(id.split('.')[1]) + 1}`;

type Ids = AuditWorld['ids'];

interface Damage {
  readonly name: string;
  readonly statements: (ids: Ids) => string;
  readonly finds: (ids: Ids) => readonly string[];
  readonly signatures?: boolean;
}

const row = (
  name: string,
  set: (id: string) => string,
  finds: (id: string) => readonly string[],
  which: keyof Ids = 'plain',
): Damage => ({
  name,
  statements: (ids) => `UPDATE filing SET ${set(ids[which])} WHERE ${at(ids[which])}`,
  finds: (ids) => finds(ids[which]),
});

const DAMAGES: readonly Damage[] = [
  row(
    'a character of the payload',
    () => letter('content', 400),
    (id) => [`digest ${id}`],
  ),
  row(
    'a character of the payload of a flattened filing',
    () => letter('content', 350),
    (id) => [`digest ${id}`],
    'flattened',
  ),
  row(
    'a character of a line of a bulk upload',
    () => replace('content', '"nights":', '"nightz":'),
    (id) => [`digest ${id}`],
    'line',
  ),
  row(
    'a content that is no JWS',
    () => "content = 'x'",
    (id) => [`content ${id}`],
  ),
  {
    ...row(
      'a character of the filer’s signature',
      () => letter('content', 'length(content) - 40'),
      (id) => [`signature ${id}`],
    ),
    signatures: true,
  },
  row(
    'the protected header',
    () => letter('content', 30),
    (id) => [`content ${id}`],
  ),
  row(
    'the salt',
    () => flip('salt'),
    (id) => [`leaf ${id}`],
  ),
  row(
    'the leaf',
    () => flip('leaf', 100),
    (id) => [`leaf ${id}`],
  ),
  row(
    'the digest',
    () => flip('digest', 7),
    (id) => [`digest ${id}`],
  ),
  row(
    'the key',
    () => flip('key', 90),
    (id) => [`key ${id}`],
  ),
  row(
    'the type',
    () => "type = 'psb.seal'",
    (id) => [`column ${id}`],
  ),
  row(
    'the version',
    () => "version = '2026-02'",
    (id) => [`column ${id}`],
  ),
  row(
    'the filer',
    () => replace('filer', '9', '8'),
    (id) => [`column ${id}`],
  ),
  row(
    'the period',
    () => 'period_to = period_to + 1',
    (id) => [`column ${id}`],
  ),
  row(
    'the reference',
    () => 'reference = NULL',
    (id) => [`column ${id}`],
  ),
  row(
    'the kind',
    () => "kind = 'void'",
    (id) => [`column ${id}`],
  ),
  row(
    'the time of receipt',
    () => "received_at = received_at + interval '1 ms'",
    (id) => [`leaf ${id}`, `tick-leaf ${id}`],
  ),
  row(
    'the kid',
    () => letter('kid', 5),
    (id) => [`kid ${id}`],
  ),
  row(
    'what it supersedes',
    (id) => `supersedes = '${id}'`,
    (id) => [`chain ${id}`, `chain ${id}`, `column ${id}`],
    'supplement',
  ),
  row(
    'its tick',
    () => 'tick = gen_random_uuid()',
    (id) => ['tick-count tick', `tick ${id}`],
  ),
  row(
    'its place in the tick',
    () => 'tick_leaf = tick_leaf + 1',
    (id) => [`tick-leaf ${id}`],
  ),
  row(
    'its manifest',
    () => 'manifest = gen_random_uuid()',
    (id) => [`manifest ${id}`],
    'line',
  ),
  row(
    'its line in the manifest',
    () => 'manifest_line = manifest_line + 1',
    (id) => [`manifest ${id}`],
    'line',
  ),
  row(
    'its lane',
    () => 'lane = (lane + 1) % 64',
    (id) => [`missing ${id}`, `stray ${id}`],
  ),
  {
    name: 'a filing deleted',
    statements: ({ plain }) => `DELETE FROM filing WHERE ${at(plain)}`,
    finds: ({ plain }) => [`missing ${plain}`, 'tick-count tick'],
  },
  {
    name: 'the last filing deleted',
    statements: ({ last }) => `DELETE FROM filing WHERE ${at(last)}`,
    finds: ({ last }) => [`checkpoint-unchecked checkpoint ${MAIN}`, `missing ${last}`, 'tick-count tick'],
  },
  {
    name: 'the last filing deleted with all trace in head, tree and checkpoints',
    statements: ({ last }) =>
      `DELETE FROM filing WHERE ${at(last)}; UPDATE office_head SET size = size - 1 WHERE office = '${MAIN}'; DELETE FROM checkpoint WHERE office = '${MAIN}' AND size = (SELECT max(size) FROM checkpoint WHERE office = '${MAIN}'); UPDATE office_tree t SET size = (SELECT max(size) FROM checkpoint c WHERE c.office = t.office) WHERE office = '${MAIN}'`,
    finds: () => [`head-time office_head ${MAIN}`, 'national national_entry 5', 'tick-count tick'],
  },
  {
    name: 'two filings swapped',
    statements: ({ plain, flattened }) =>
      `UPDATE filing SET idx = -1 WHERE ${at(plain)}; UPDATE filing SET idx = ${plain.split('.')[1]} WHERE ${at(flattened)}; UPDATE filing SET idx = ${flattened.split('.')[1]} WHERE office = '${MAIN}' AND idx = -1`,
    finds: ({ plain, flattened }) => [
      `leaf ${plain}`,
      `leaf ${flattened}`,
      `tick-leaf ${plain}`,
      `tick-leaf ${flattened}`,
    ],
  },
  {
    name: 'a filing put in behind the last',
    statements: ({ last }) =>
      `INSERT INTO filing SELECT lane, office, idx + 1, set_byte(key, 20, 1), type, version, filer, period_from, period_to, reference, kind, supersedes, received_at, late, warnings, digest, salt, leaf, tick_lane, tick, tick_leaf, kid, content, manifest, manifest_line, urgent FROM filing WHERE ${at(last)}`,
    finds: ({ last }) => [
      `head-size office_head ${MAIN}`,
      `key ${after(last)}`,
      `leaf ${after(last)}`,
      'tick-count tick',
      `tick-leaf ${after(last)}`,
    ],
  },
  {
    name: 'a filing twice',
    statements: ({ plain }) =>
      `UPDATE filing f SET key = (SELECT key FROM filing WHERE ${at(plain)}) WHERE office = '${MAIN}' AND idx = 3`,
    finds: () => [`duplicate-key ${MAIN}.3`, `key ${MAIN}.3`],
  },
  {
    name: 'leaves of a tick',
    statements: ({ corrected }) =>
      `UPDATE tick SET ${flip('leaves', 9)} WHERE id = (SELECT tick FROM filing WHERE ${at(corrected)})`,
    finds: ({ corrected }) => [`tick-leaf ${corrected}`, 'tick-root tick'],
  },
  {
    name: 'signature of a tick',
    statements: ({ corrected }) =>
      `UPDATE tick SET ${letter('signature', 'length(signature) - 20')} WHERE id = (SELECT tick FROM filing WHERE ${at(corrected)})`,
    finds: () => ['tick-signature tick'],
  },
  {
    name: 'time of a tick',
    statements: ({ corrected }) =>
      `UPDATE tick SET at = at + interval '1 ms' WHERE id = (SELECT tick FROM filing WHERE ${at(corrected)})`,
    finds: () => ['tick-root tick'],
  },
  {
    name: 'a tick deleted',
    statements: ({ corrected }) => `DELETE FROM tick WHERE id = (SELECT tick FROM filing WHERE ${at(corrected)})`,
    finds: ({ corrected }) => [`tick ${corrected}`],
  },
  {
    name: 'leaves of a manifest',
    statements: () => `UPDATE manifest SET ${flip('leaves', 9)}`,
    finds: () => [`manifest ${MAIN}.122`, 'manifest-root manifest'],
  },
  {
    name: 'a manifest',
    statements: () => `UPDATE manifest SET ${letter('jws', 'length(jws) - 40')}`,
    finds: () => ['signature manifest'],
    signatures: true,
  },
  {
    name: 'size of a head',
    statements: () => `UPDATE office_head SET size = size + 1 WHERE office = '${MAIN}'`,
    finds: () => [`head-size office_head ${MAIN}`],
  },
  {
    name: 'size of a head, far off',
    statements: () => `UPDATE office_head SET size = size + 1099511627776 WHERE office = '${MAIN}'`,
    finds: () => [`head-size office_head ${MAIN}`],
  },
  {
    name: 'time of a head',
    statements: () => `UPDATE office_head SET received_at = received_at + interval '1 s' WHERE office = '${MAIN}'`,
    finds: () => [`head-time office_head ${MAIN}`],
  },
  {
    name: 'a head deleted',
    statements: () => `DELETE FROM office_head WHERE office = '${EMPTY}'`,
    finds: () => [`office office ${EMPTY}`],
  },
  {
    name: 'size of a tree',
    statements: () => `UPDATE office_tree SET size = size - 1 WHERE office = '${MAIN}'`,
    finds: () => [`tree office_tree ${MAIN}`],
  },
  { name: 'a tile', statements: () => `UPDATE tile SET ${flip('hashes', 11)}`, finds: () => [`tile tile ${MAIN}/1/0`] },
  { name: 'a tile deleted', statements: () => 'DELETE FROM tile', finds: () => [`tile tile ${MAIN}/1/0`] },
  {
    name: 'a tile too many',
    statements: () => `INSERT INTO tile SELECT lane, office, level, 7, hashes FROM tile`,
    finds: () => [`tile tile ${MAIN}/1/7`],
  },
  {
    name: 'root of a checkpoint',
    statements: () => `UPDATE checkpoint SET ${flip('root', 5)} WHERE office = '${MAIN}' AND size = 120`,
    finds: () => [`checkpoint checkpoint ${MAIN}@120`],
  },
  {
    name: 'note of a checkpoint',
    statements: () =>
      `UPDATE checkpoint SET ${letter('note', 'length(note) - 20')} WHERE office = '${MAIN}' AND size = 120`,
    finds: () => [`checkpoint-note checkpoint ${MAIN}@120`],
  },
  {
    name: 'size of a checkpoint',
    statements: () => `UPDATE checkpoint SET size = 119 WHERE office = '${MAIN}' AND size = 120`,
    finds: () => [`checkpoint checkpoint ${MAIN}@119`, `checkpoint-note checkpoint ${MAIN}@119`],
  },
  {
    name: 'a checkpoint moved to another office',
    statements: () =>
      `UPDATE checkpoint SET office = '${EMPTY}', lane = (SELECT lane FROM office WHERE code = '${EMPTY}') WHERE office = '${MAIN}' AND size = 120`,
    finds: () => [`checkpoint checkpoint ${EMPTY}@120`, `tree office_tree ${EMPTY}`],
  },
  {
    name: 'a cosignature',
    statements: () => `UPDATE cosignature SET ${letter('line', 'length(line) - 20')}`,
    finds: () => [`cosignature cosignature ${MAIN}@324`],
  },
  {
    name: 'time of a cosignature',
    statements: () => "UPDATE cosignature SET cosigned_at = cosigned_at + interval '1 s'",
    finds: () => [`cosignature cosignature ${MAIN}@324`],
  },
  {
    name: 'key of a cosignature revoked before it',
    statements: () => "UPDATE party_key SET revoked_at = '2026-01-01' WHERE kid = (SELECT kid FROM cosignature)",
    finds: () => [`cosignature cosignature ${MAIN}@324`],
  },
  {
    name: 'text of the national log',
    statements: () => `UPDATE national_entry SET ${letter('text', 50)} WHERE idx = 0`,
    finds: () => ['checkpoint-unchecked checkpoint national', 'national national_entry 0', 'national national_entry 0'],
  },
  {
    name: 'leaf of the national log',
    statements: () => `UPDATE national_entry SET ${flip('leaf', 5)} WHERE idx = 0`,
    finds: () => ['national national_entry 0'],
  },
  {
    name: 'an entry of the national log deleted',
    statements: () => 'DELETE FROM national_entry WHERE idx = 0',
    finds: () => ['checkpoint-unchecked checkpoint national', 'national national_entry 0'],
  },
  {
    name: 'office of an entry',
    statements: () => `UPDATE national_entry SET office = '${EMPTY}' WHERE idx = 0`,
    finds: () => ['national national_entry 0', 'national national_entry 0'],
  },
  {
    name: 'kind of an entry',
    statements: () => "UPDATE national_entry SET kind = 'trail' WHERE idx = 0",
    finds: () => ['national national_entry 0'],
  },
  {
    name: 'a recovery',
    statements: () => 'UPDATE recovery SET lost_size = lost_size + 1',
    finds: () => [
      'national national_entry 4',
      `recovery checkpoint ${SECOND}@70`,
      `recovery checkpoint ${SECOND}@80`,
      `recovery recovery ${SECOND}`,
    ],
  },
  {
    name: 'root of a recovery',
    statements: () => `UPDATE recovery SET ${flip('kept_root', 5)}`,
    finds: () => ['national national_entry 4', `recovery recovery ${SECOND}`, `recovery recovery ${SECOND}`],
  },
  {
    name: 'a row of the trail',
    statements: () => "UPDATE trail SET party = 'nobody' WHERE n = 3",
    finds: () => ['trail trail 3'],
  },
  {
    name: 'details of a row of the trail',
    statements: () => 'UPDATE trail SET details = details || \'{"ok": false}\' WHERE n = 4',
    finds: () => ['trail trail 4'],
  },
  {
    name: 'hash of a row of the trail',
    statements: () => `UPDATE trail SET ${flip('hash', 5)} WHERE n = 3`,
    finds: () => ['trail trail 3'],
  },
  {
    name: 'a row of the trail removed',
    statements: () => 'DELETE FROM trail WHERE n = 3',
    finds: () => ['trail trail 3'],
  },
  {
    name: 'the last row of the trail removed',
    statements: () => 'DELETE FROM trail WHERE n = (SELECT max(n) FROM trail)',
    finds: () => ['trail trail 6', 'trail trail_head'],
  },
  {
    name: 'a row of the trail put in',
    statements: () =>
      'INSERT INTO trail SELECT lane, n + 1, at, role, party, action, target, result, request, details, hash FROM trail WHERE n = (SELECT max(n) FROM trail)',
    finds: () => ['trail trail 7', 'trail trail_head'],
  },
  {
    name: 'head of the trail',
    statements: () => `UPDATE trail_head SET ${flip('hash', 5)}`,
    finds: () => ['trail trail_head'],
  },
  {
    name: 'a registered key',
    statements: ({ plain }) =>
      `UPDATE party_key SET kid = 'x' || substr(kid, 2) WHERE kid = (SELECT kid FROM filing WHERE ${at(plain)})`,
    finds: () => ['mandate mandate m-1', 'party-key party_key'],
  },
  {
    name: 'who gave a mandate',
    statements: () => "UPDATE mandate SET types = '{*}'",
    finds: () => ['mandate mandate m-1'],
  },
  {
    name: 'what a filer signed as a mandate',
    statements: () => `UPDATE mandate SET ${letter('jws', 'length(jws) - 20')}`,
    finds: () => ['mandate mandate m-1'],
  },
  {
    name: 'an office without its head’s lane',
    statements: () => `UPDATE office SET lane = (lane + 1) % 64 WHERE code = '${MAIN}'`,
    finds: () => [`office office ${MAIN}`, `office office_head ${MAIN}`],
  },
];

const seen = new Set<string>();

test.each(DAMAGES)('found, and nothing else: $name', async ({ statements, finds, signatures = false }) => {
  await mender.damage(statements(world.ids));
  const { findings } = await auditWorld(world, { signatures });
  for (const { kind } of findings) seen.add(kind);
  expect(placesOf(findings)).toEqual([...finds(world.ids)].sort());
  for (const { what, means } of findings)
    for (const { zh, en } of [what, means])
      expect([zh, en]).toEqual([expect.stringMatching(/[一-鿿]/), expect.stringMatching(/[a-z]/)]);
});

test('a key of the gateway: everything that it signed', async () => {
  await mender.damage("UPDATE gateway_key SET kid = 'x' || substr(kid, 2)");
  const { findings } = await auditWorld(world);
  const kinds = new Set(findings.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(['checkpoint-note', 'gateway-key', 'tick-signature']);
  seen.add('gateway-key');
});

test('a key that was revoked: every filing that was received after that, and none before', async () => {
  const [limit] = await world.database.db.sql<{ at: string; later: number }[]>`
    SELECT p.received_at AS at,
      (SELECT count(*) FROM filing f JOIN party_key k ON k.kid = f.kid WHERE k.alg = 'ES256' AND f.received_at > p.received_at) AS later
    FROM filing p WHERE office = ${MAIN} AND idx = 119`;
  await mender.damage(
    `UPDATE party_key SET revoked_at = '${limit?.at}'::timestamptz + interval '1 s' WHERE alg = 'ES256'`,
  );
  const { findings } = await auditWorld(world, { signatures: true });
  expect(new Set(findings.map(({ kind }) => kind))).toEqual(new Set(['signing-key']));
  expect(findings.length).toBe(limit?.later);
  seen.add('signing-key');
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
