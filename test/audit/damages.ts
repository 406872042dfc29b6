import { after, at, type Damage, flip, type Ids, letter, replace } from './damage.ts';
import { EMPTY, MAIN } from './world.ts';

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

/** Each by statements of SQL, and all that is to be found of it: `kind place`. */
export const LOG_DAMAGES: readonly Damage[] = [
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
    name: 'a filing deleted that another supersedes',
    statements: ({ corrected }) => `DELETE FROM filing WHERE ${at(corrected)}`,
    finds: ({ corrected, correction }) => [`chain ${correction}`, `missing ${corrected}`, 'tick-count tick'],
  },
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
    finds: () => [
      `checkpoint checkpoint ${MAIN}`,
      `head-time office_head ${MAIN}`,
      'national national_entry 5',
      'tick-count tick',
    ],
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
    // Its eight bytes stand behind four of the key's id; the first but one of them counts in millions of years.
    name: 'time of a cosignature in its line, to what no calendar has',
    statements: () =>
      "UPDATE cosignature SET line = regexp_replace(line, '[^ ]+$', '') || translate(encode(set_byte(decode(substring(line from '[^ ]+$'), 'base64'), 5, 16), 'base64'), E'\\n', '')",
    finds: () => [`cosignature cosignature ${MAIN}@324`],
  },
  {
    name: 'key of a cosignature revoked before it',
    statements: () => "UPDATE party_key SET revoked_at = '2026-01-01' WHERE kid = (SELECT kid FROM cosignature)",
    finds: () => [`cosignature cosignature ${MAIN}@324`],
  },
];
