import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filingText } from '../../src/ingest/filing-text.ts';
import type { FilingView } from '../../src/ingest/view.ts';

const anyText = fc.string({ unit: 'grapheme' });
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
const filingId = fc.nat().map((index) => `13501000000.${index}`);
const period = fc.record({ from: fc.constant('2026-01-01'), to: fc.constantFrom('2026-01-31', '2026-12-31') });
const kind = fc.constantFrom('original' as const, 'correction' as const);
const warning = fc.record({
  pointer: anyText,
  code: anyText,
  severity: fc.constant('warning' as const),
  message: fc.record({ zh: anyText, en: anyText }),
});

const common = {
  id: filingId,
  type: anyText,
  version: anyText,
  filer: anyText,
  office: fc.constant('13501000000'),
  index: fc.nat(),
  period,
  reference: fc.option(anyText, { nil: undefined }),
  kind,
  supersedes: fc.option(filingId, { nil: undefined }),
  digest: hash,
};
const receivedAt = fc.constantFrom('2026-02-03T04:05:06.789Z', '2026-02-28T15:59:59.999Z');
const statement = fc
  .record({ iss: anyText, env: anyText, ...common, leaf: hash, receivedAt })
  // The order of the contract.
  .map(
    ({ iss, env, id, office, index, type, version, filer, period, reference, kind, supersedes, digest, ...rest }) => {
      const { leaf, receivedAt } = rest;
      const first = { iss, env, id, office, index, type, version, filer, period, reference, kind, supersedes };
      return { ...first, digest, leaf, receivedAt };
    },
  );
const receipt = fc.record({
  statement,
  salt: hash,
  path: fc.array(hash, { maxLength: 4 }),
  leafIndex: fc.nat(),
  treeSize: fc.nat(),
  signature: hash.map((part) => `${part}.${part}.${part}`),
});
const filing: fc.Arbitrary<FilingView> = fc.record({
  ...common,
  status: fc.constantFrom('accepted' as const, 'superseded' as const, 'voided' as const),
  receivedAt,
  late: fc.boolean(),
  warnings: fc.array(warning, { maxLength: 2 }),
  receipt,
});

test('a filing is written as JSON.stringify writes it, whatever others have named in it', () => {
  fc.assert(
    fc.property(filing, (view) => {
      expect(filingText(view)).toBe(JSON.stringify(view));
    }),
  );
});
