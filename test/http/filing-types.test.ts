import { describe, expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import { checkAgainstType, checkEnvelope } from '../../src/domain/payload.ts';
import { preferredLanguage } from '../../src/http/negotiate.ts';
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
  const language = preferredLanguage(headers['accept-language']);
  const header = (name: string) => headers[name];
  const call = { params, query: {}, language, header } as unknown as Call<never, never, never>;
  return (await found?.handle(call)) ?? new Response(null, { status: 404 });
}

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

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

  test('say of each rule what it is, where it is shown and where it comes from', async () => {
    const version = { type: 'tax.vat.general', version: '2026-02' };
    const document = (await (await get('getFilingTypeRules', version)).json()) as Record<string, unknown>;
    expect(document).toMatchObject({ ...version, title: { en: 'VAT and surcharges return for general taxpayers' } });
    expect(Object.keys(document)).toEqual(
      expect.arrayContaining(['columns', 'constants', 'let', 'sums', 'others', 'regional', 'rules']),
    );
    const rule = (document.rules as { id: string }[]).find(({ id }) => id === 'VAT-19');
    expect(rule).toMatchObject({
      line: '19',
      source: expect.stringContaining('['),
      formula: { zh: expect.stringContaining('第19栏'), en: expect.stringContaining('line 19') },
    });
  });

  const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

  test.each(['zh', 'en'] as const)('are pages in a browser, in %s, without any script', async (language) => {
    const headers = { ...browser, 'accept-language': language };
    for (const [type, { metadata, versions }] of catalogue.types) {
      const page = await (await get('getFilingType', { type }, headers)).text();
      expect(page).toContain(escaped(metadata.title[language]));
      for (const [version, { rules }] of versions) {
        expect(page).toContain(`/v1/filing-types/${type}/versions/${version}/rules`);
        const answer = await get('getFilingTypeRules', { type, version }, headers);
        expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
        expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
        const text = await answer.text();
        for (const { id, title, expression, source } of rules) {
          expect(text).toContain(`id="${id}"`);
          for (const part of [title[language], expression, source]) expect(text).toContain(escaped(part));
        }
        expect(text).not.toMatch(/<script|style=|undefined|\[object/);
      }
    }
    const list = await (await get('listFilingTypes', {}, headers)).text();
    for (const type of catalogue.types.keys()) expect(list).toContain(`<code>${type}</code>`);
  });

  test('are told apart by caches: page, language and JSON', async () => {
    const answers = [{}, browser, { ...browser, 'accept-language': 'en' }].map((headers) =>
      get('getFilingType', { type: 'psb.lodging' }, headers),
    );
    const tags = (await Promise.all(answers)).map((answer) => answer.headers.get('etag'));
    expect(new Set(tags).size).toBe(3);
    expect((await answers[1])?.headers.get('vary')).toBe('Accept, Accept-Language');
  });

  test.each([
    ['getFilingType', { type: 'tax.nothing' }],
    ['getFilingTypeSchema', { type: 'tax.vat.general', version: '1999-01' }],
  ])('%s of something unknown is not found', async (operation, params) => {
    await expect(get(operation, params)).rejects.toMatchObject({ code: 'not-found' });
  });
});
