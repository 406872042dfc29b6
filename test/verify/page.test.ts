import { expect, test } from 'vitest';
import { verifyNationalEntries } from '../../src/client/client.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { CHAIN_START, type TrailRow, trailHash } from '../../src/trail/chain.ts';
import { blocksOf, madeBlocks, pageWith, readPage } from './page.ts';

const page = readPage();

test('the made examples of docs/verify.md are what their maker makes, byte for byte', () => {
  const given = blocksOf(page);
  const made = madeBlocks(page);
  expect([...made.keys()].filter((name) => !given.has(name))).toEqual([]);
  for (const [name, text] of made) expect({ name, text: given.get(name) }).toEqual({ name, text });
  expect(pageWith(page)).toBe(page);
});

test('the trail of the page has the hashes that the gateway would give it', () => {
  const rows = (blocksOf(page).get('trail') ?? '').trimEnd().split('\n');
  let last = CHAIN_START;
  for (const { hash, ...row } of rows.map((line) => JSON.parse(line) as TrailRow & { hash: string })) {
    last = trailHash(sha256, last, row);
    expect(Buffer.from(last).toString('base64url')).toBe(hash);
  }
});

test('the national log of the page gives the root of its checkpoint', async () => {
  const blocks = blocksOf(page);
  const lines = (blocks.get('national-entries') ?? '').trimEnd().split('\n');
  const report = await verifyNationalEntries(
    lines.map((line) => JSON.parse(line) as unknown),
    'gateway.example/national',
  );
  expect(report).toMatchObject({ ok: true, to: 4 });
  const root = Buffer.from(report.roots.get(4) ?? '', 'base64url').toString('base64');
  expect(blocks.get('national-proof')).toContain(`\ngateway.example/national\n4\n${root}\n\n`);
  expect(blocks.get('values')).toContain(Buffer.from(root, 'base64').toString('hex'));
});
