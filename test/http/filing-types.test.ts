import { describe, expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import { checkAgainstType, checkEnvelope } from '../../src/domain/payload.ts';
import type { Call } from '../../src/http/route.ts';
import { filingTypeRoutes } from '../../src/http/routes/filing-types.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';

const { catalogue } = buildCatalogue(await readSchemaFiles());
if (catalogue === undefined) throw new Error('the shipped types do not load');
const routes = filingTypeRoutes({ catalogue: () => catalogue });

async function get(
  operation: string,
  params: object = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const found = routes.find(({ operationId }) => operationId === operation);
  const call = { params, query: {}, header: (name: string) => headers[name] } as unknown as Call<never, never, never>;
  return (await found?.handle(call)) ?? new Response(null, { status: 404 });
}

describe('filing types', () => {
  test('are public, and listed in both languages', async () => {
    expect(routes.map(({ access }) => access)).toEqual(Array(5).fill('public'));
    const { items, next } = (await (await get('listFilingTypes')).json()) as {
      items: { type: string; title: object }[];
      next: null;
    };
    expect(next).toBeNull();
    expect(items.map(({ type }) => type)).toEqual([...catalogue.types.keys()].sort());
    expect(items.find(({ type }) => type === 'tax.vat.general')?.title).toEqual({
      zh: '增值税及附加税费申报表（一般纳税人适用）',
      en: 'VAT and surcharges return for general taxpayers',
    });
  });

  test('each version shows its schema, its rules and an example that is valid', async () => {
    for (const [type, { metadata }] of catalogue.types) {
      for (const { version } of metadata.versions) {
        const schema = await get('getFilingTypeSchema', { type, version });
        expect(schema.headers.get('content-type')).toContain('application/schema+json');
        expect(await schema.json()).toMatchObject({
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          type: 'object',
        });
        const { rules } = (await (await get('getFilingTypeRules', { type, version })).json()) as {
          rules: { id: string }[];
        };
        expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
        const { payload } = checkEnvelope(await (await get('getFilingTypeExample', { type, version })).json());
        const known = catalogue.types.get(type);
        expect(payload && known && checkAgainstType(payload, known)).toEqual([]);
      }
    }
  });

  test('can be kept and asked for by their ETag', async () => {
    const first = await get('getFilingType', { type: 'psb.lodging' });
    expect(first.headers.get('cache-control')).toBe('public, max-age=300');
    const again = await get(
      'getFilingType',
      { type: 'psb.lodging' },
      { 'if-none-match': first.headers.get('etag') ?? '' },
    );
    expect(again.status).toBe(304);
  });

  test.each([
    ['getFilingType', { type: 'tax.nothing' }],
    ['getFilingTypeSchema', { type: 'tax.vat.general', version: '1999-01' }],
  ])('%s of something unknown is not found', async (operation, params) => {
    await expect(get(operation, params)).rejects.toMatchObject({ code: 'not-found' });
  });
});
