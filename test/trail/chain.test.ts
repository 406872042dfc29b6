import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TRAIL_START, TrailChain } from '../../src/client/trail.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { CHAIN_START, type TrailRow, trailHash } from '../../src/trail/chain.ts';

const ROW: TrailRow = {
  n: 1,
  at: '2026-11-22T08:00:00.000Z',
  role: 'operator',
  party: 'operator',
  action: 'putParty',
  target: '91350100M000100Y43',
  result: 'begun',
  request: '0123456789-1',
};

test('the hash of a row is that of docs/trail.md, by its bytes', () => {
  const text =
    '{"action":"putParty","at":"2026-11-22T08:00:00.000Z","n":1,"party":"operator","request":"0123456789-1",' +
    '"result":"begun","role":"operator","target":"91350100M000100Y43"}';
  const expected = createHash('sha256').update(Buffer.alloc(32)).update(text).digest('hex');
  expect(Buffer.from(trailHash(sha256, CHAIN_START, ROW)).toString('hex')).toBe(expected);
  expect(expected).toBe('518e0c90ace029fa21ad3bd7765f41e6c8ff9fa22bdbd384ee3de7ba1f5f0167');
});

const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const event = fc.record(
  {
    role: fc.constantFrom('filer', 'agent', 'office', 'operator'),
    party: word,
    action: word,
    target: word,
    result: fc.constantFrom('begun', '200', '403 forbidden', '200 cut-short', 'done'),
    request: word,
    details: fc.dictionary(word, fc.oneof(fc.integer(), word, fc.array(fc.integer())), { noNullPrototype: true }),
  },
  { requiredKeys: ['role', 'party', 'action', 'target', 'result', 'request'] },
);

/** A second implementation: RFC 8785 by another package. */
function chainOf(events: readonly Omit<TrailRow, 'n' | 'at'>[]) {
  let hash: Buffer = Buffer.alloc(32);
  return events.map((each, i) => {
    const row = { ...each, n: i + 1, at: new Date(1_700_000_000_000 + i).toISOString() };
    hash = createHash('sha256')
      .update(hash)
      .update(canonicalize(row) ?? '')
      .digest();
    return { ...row, hash: hash.toString('base64url') };
  });
}

function check(rows: ReturnType<typeof chainOf>): number {
  const chain = new TrailChain(sha256);
  for (const row of rows) chain.add(row as never);
  return chain.last.n;
}

test('a chain that another implementation computed holds, from its beginning and from any row on', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 8 }), fc.nat(), (events, at) => {
      const rows = chainOf(events);
      expect(check(rows)).toBe(rows.length);
      const start = rows.length === 0 ? TRAIL_START : rows[at % rows.length];
      const chain = new TrailChain(sha256, { n: start?.n ?? 0, hash: start?.hash ?? '' });
      for (const row of rows.slice(start?.n)) chain.add(row as never);
      expect(chain.last.n).toBe(rows.length);
    }),
  );
});

test('a row that is altered, left out, doubled or moved is found', () => {
  const changes = ['alter', 'drop', 'double', 'swap'] as const;
  const members = ['n', 'at', 'role', 'party', 'action', 'target', 'result', 'request', 'details', 'hash'] as const;
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 2, maxLength: 6 }),
      fc.nat(),
      fc.constantFrom(...changes),
      fc.constantFrom(...members),
      (events, where, change, member) => {
        const rows = chainOf(events);
        const at = where % (rows.length - 1);
        const row = rows[at] as (typeof rows)[number];
        if (change === 'alter') rows[at] = { ...row, [member]: member === 'n' ? row.n + 1 : `${row[member]}x` };
        if (change === 'drop') rows.splice(at, 1);
        if (change === 'double') rows.splice(at, 0, row);
        if (change === 'swap') rows.splice(at, 2, rows[at + 1] as never, row);
        expect(() => check(rows)).toThrow(/audit trail is broken/);
      },
    ),
  );
});
