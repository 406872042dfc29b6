import { at, type Damage, flip, letter } from './damage.ts';
import { EMPTY, MAIN, SECOND } from './world.ts';

/** Of what stands beside the offices' logs: the national log, recoveries, the trail, keys, mandates, offices. */
export const OTHER_DAMAGES: readonly Damage[] = [
  {
    name: 'everything that was computed and signed of an office deleted',
    statements: () =>
      `DELETE FROM checkpoint WHERE office = '${MAIN}'; DELETE FROM tile WHERE office = '${MAIN}'; DELETE FROM office_tree WHERE office = '${MAIN}'; DELETE FROM cosignature`,
    finds: () => [`checkpoint checkpoint ${MAIN}`],
  },
  {
    name: 'the newest checkpoint of an office deleted, and its tree put back',
    statements: () =>
      `DELETE FROM checkpoint WHERE office = '${MAIN}' AND size = (SELECT max(size) FROM checkpoint WHERE office = '${MAIN}'); UPDATE office_tree t SET size = (SELECT max(size) FROM checkpoint c WHERE c.office = t.office) WHERE office = '${MAIN}'`,
    finds: () => [`checkpoint checkpoint ${MAIN}`],
  },
  {
    name: 'the row of a tree deleted',
    statements: () => `DELETE FROM office_tree WHERE office = '${SECOND}'`,
    finds: () => [`tree office_tree ${SECOND}`],
  },
  {
    name: 'everything that was signed of the national log deleted',
    statements: () => "DELETE FROM checkpoint WHERE office = ''; DELETE FROM office_tree WHERE office = ''",
    finds: () => ['checkpoint checkpoint national'],
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
      `UPDATE party_key SET kid = CASE left(kid, 1) WHEN 'x' THEN 'y' ELSE 'x' END || substr(kid, 2) WHERE kid = (SELECT kid FROM filing WHERE ${at(plain)})`,
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
