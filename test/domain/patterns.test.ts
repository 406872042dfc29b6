import { describe, expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { FilingPayload } from '../../src/domain/filing.ts';
import { newAjv } from '../../src/domain/schema-compile.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';

const files = await readSchemaFiles();
const patterns = [
  ...new Set(
    [...files.values()].flatMap((text) => [...text.matchAll(/"pattern": ("[^"]+")/g)].map((match) => match[1] ?? '')),
  ),
].map((text) => JSON.parse(text) as string);

describe('patterns of schemas', () => {
  test('each is its own, also when one validator has many', () => {
    const properties = Object.fromEntries(patterns.map((pattern, i) => [`p${i}`, { type: 'string', pattern }]));
    const validate = newAjv().compile({ type: 'object', properties });
    const samples = [
      '',
      'a',
      'A1',
      '12345',
      '0591-00000000',
      '91350100',
      '350102',
      '#x',
      '闽A12345',
      'ABC-1',
      '1306010001',
    ];
    expect(patterns.length).toBeGreaterThan(5);
    for (const [i, pattern] of patterns.entries()) {
      for (const sample of samples)
        expect([pattern, sample, validate({ [`p${i}`]: sample })]).toEqual([
          pattern,
          sample,
          new RegExp(pattern, 'u').test(sample),
        ]);
    }
  });

  test.each(['^[0-9]{2}(a+)+$', '^(a|a)*$', '^[a-z]+$', '[0-9]{2}'])(
    '%s means the same, whichever engine runs it',
    (pattern) => {
      const validate = newAjv().compile({ type: 'object', properties: { text: { type: 'string', pattern } } });
      for (const text of ['12aaa', 'aaa', 'x', '', '12', '1x12'])
        expect([text, validate({ text })]).toEqual([text, new RegExp(pattern, 'u').test(text)]);
    },
  );

  test.each(patterns)('%s refuses something', (pattern) => {
    const validate = newAjv().compile({ type: 'object', properties: { text: { type: 'string', pattern } } });
    expect(validate({ text: '\u{1f4a7} no such thing #' })).toBe(false);
  });
});

test('a pattern on 1 MiB of which a backtracking engine would never end has its verdict', () => {
  const path = 'amr/recall/2026-01/schema.json';
  const base = 'amr/recall/2026-01/examples/valid-food-start.json';
  const changed = new Map(
    [...files].map(([name, text]) => [
      name,
      name.startsWith('amr/recall/') ? text.replaceAll('0591-00000000', 'aaaa') : text,
    ]),
  );
  const pattern = /"pattern": "\^\[0-9\+\(\) -\]\{5,30\}\$",\s+"maxLength": 30/;
  changed.set(
    path,
    (files.get(path) ?? '').replace(pattern, () => '"pattern": "^(a+)+$", "maxLength": 60000'),
  );
  const { catalogue: other, problems } = buildCatalogue(changed);
  expect(problems).toBeUndefined();
  const version = other?.types.get('amr.recall')?.versions.get('2026-01');
  const payload = JSON.parse(changed.get(base) ?? '') as { data: { contact: { telephone: string } } } & FilingPayload;
  for (const length of [60_000, 1_048_576]) {
    payload.data.contact.telephone = `${'a'.repeat(length - 1)}b`;
    const findings = version?.check(payload).errors.map(({ pointer }) => pointer) ?? [];
    expect([...new Set(findings)]).toEqual(['/data/contact/telephone']);
  }
});
