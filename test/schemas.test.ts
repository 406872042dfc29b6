import { describe, expect, test } from 'vitest';
import { buildCatalogue } from '../src/domain/catalogue.ts';
import type { FilingPayload } from '../src/domain/filing.ts';
import type { Catalogue, FilingTypeVersion } from '../src/domain/filing-type.ts';
import { checkEnvelope } from '../src/domain/payload.ts';
import { readSchemaFiles } from '../src/ops/schemas.ts';
import { wholeExample } from './support/examples.ts';

const files = await readSchemaFiles();

/** The catalogue with changed files; with a change, of the changed type alone. */
function load(changes: Readonly<Record<string, (text: string) => string>> = {}): ReturnType<typeof buildCatalogue> {
  const folders = Object.keys(changes).map((path) => path.split('/').slice(0, 2).join('/'));
  const changed = new Map(
    [...files].filter(([path]) => folders.length === 0 || folders.some((folder) => path.startsWith(`${folder}/`))),
  );
  for (const [path, change] of Object.entries(changes)) changed.set(path, change(files.get(path) ?? ''));
  return buildCatalogue(changed);
}

function shipped(): Catalogue {
  const { catalogue, problems } = load();
  if (catalogue === undefined) throw new Error(JSON.stringify(problems, undefined, 1));
  return catalogue;
}

const catalogue = shipped();

function versionOf(type: string, version: string): FilingTypeVersion {
  const found = catalogue.types.get(type)?.versions.get(version);
  if (found === undefined) throw new Error(`${type} ${version} is not there`);
  return found;
}

function example(path: string): FilingPayload {
  return JSON.parse(files.get(path) ?? 'null') as FilingPayload;
}

/** The line, from 1, on which a text stands in a file. */
function lineOf(path: string, text: string): number {
  const lines = (files.get(path) ?? '').split('\n');
  return lines.findIndex((line) => line.includes(text)) + 1;
}

describe('the shipped types', () => {
  test('are those of the folders, all modelled, all with sources', () => {
    const folders = [...files.keys()].flatMap((path) => /^(.+)\/type\.json$/.exec(path)?.[1] ?? []);
    expect(folders).toEqual(
      expect.arrayContaining(['amr/recall', 'psb/lodging', 'si/contribution', 'tax/vat-general']),
    );
    const named = [...catalogue.types.keys()].map((type) => type.replace('.', '/').replaceAll('.', '-'));
    expect(named.sort()).toEqual(folders.sort());
    for (const { metadata } of catalogue.types.values())
      expect(metadata).toMatchObject({ status: 'modelled', source: expect.stringMatching(/domain\.md/) });
  });

  test.each([...files.keys()].filter((path) => /\/(valid|compared|invalid)-/.test(path)))(
    '%s has the verdict of its name',
    (path) => {
      const { filing, others, figures = {} } = wholeExample(files.get(path) ?? '');
      expect(checkEnvelope(filing).errors).toBeUndefined();
      const [, folder = '', name = ''] = /\/([^/]+)\/examples\/(.+)\.json$/.exec(path) ?? [];
      const version = versionOf(filing.type, folder);
      const { errors, warnings } = version.check(filing, (wanted) => figures[wanted]);
      const compared = version.compare(filing, new Map(Object.entries(others ?? {})), (wanted) => figures[wanted]);
      // Of a filing alone, nothing is said about others that would have to stand beside it.
      const asking = version.rules
        .filter(({ expression }) => /has\(others\.\w+\)/.test(expression))
        .map(({ id }) => id);
      const rules = new Set([...errors, ...warnings, ...compared].map((finding) => finding.rule ?? ''));
      if (others === undefined) for (const id of asking) rules.delete(id);
      expect([...rules]).toEqual(/^(?:valid|compared)-/.test(name) ? [] : [name.slice('invalid-'.length)]);
    },
  );

  test('the finding of api.md: pointer, rule, line and both languages', () => {
    const payload = example('tax/vat-general/2021-08/examples/invalid-VAT-19.json');
    const [finding] = versionOf('tax.vat.general', '2021-08').check(payload).errors;
    expect(finding).toMatchObject({
      pointer: '/data/lines/19/generalMonth',
      code: 'rule',
      rule: 'VAT-19',
      line: '19',
      severity: 'error',
    });
    expect(finding?.message.zh).toMatch(/^第19栏应等于第11−18栏；.*（一般项目本月数）$/);
    expect(finding?.message.en).toContain('Line 19 must equal lines 11−18');
  });
});

describe('the general VAT return', () => {
  const version = versionOf('tax.vat.general', '2026-02');
  const filing = (lines: object): FilingPayload => ({ ...version.example, data: { lines } });

  test('the version in force follows the last day of the period', () => {
    const type = catalogue.types.get('tax.vat.general');
    const inForce = (month: string): string | undefined =>
      type?.resolve(undefined, { from: `${month}-01`, to: `${month}-28` })?.metadata.version;
    expect(['2021-07', '2021-08', '2025-01', '2025-02', '2026-01', '2026-02', '2030-01'].map(inForce)).toEqual([
      undefined,
      '2021-08',
      '2021-08',
      '2025-02',
      '2025-02',
      '2026-02',
      '2026-02',
    ]);
  });

  test.each([
    ['17', 'generalYear'],
    ['26', 'refundYear'],
    ['28', 'generalYear'],
    ['33', 'refundYear'],
    ['34', 'generalYear'],
    ['29', 'refundMonth'],
    ['29', 'generalYear'],
    ['7', 'refundMonth'],
    ['8', 'refundYear'],
    ['35', 'generalMonth'],
    ['36', 'refundMonth'],
    ['37', 'refundYear'],
  ])('the cell of line %s, %s, is printed "—" and refused', (line, column) => {
    const { errors } = version.check(filing({ [line]: { [column]: 0 } }));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ pointer: `/data/lines/${line}/${column}`, code: 'schema', line });
    expect(errors[0]?.message.zh).toContain('印为“—”');
  });

  test('lines that are left out count as 0, in sums too', () => {
    expect(version.check(filing({ 34: { generalMonth: 0 } })).errors).toEqual([]);
    expect(version.check(filing({ 24: { generalMonth: 1 } })).errors.map(({ rule }) => rule)).toEqual([
      'VAT-24',
      'VAT-32',
      'VAT-34',
    ]);
    expect(version.check(filing({ 24: { refundYear: 1 } })).errors.map(({ rule }) => rule)).toEqual(['VAT-24']);
  });

  test('line 18 is the smaller of 17 and 11; arrears are never negative', () => {
    const rules = (lines: object): unknown => version.check(filing(lines)).errors.map(({ rule }) => rule);
    expect(rules({ 12: { generalMonth: 5 }, 17: { generalMonth: 5 }, 20: { generalMonth: 5 } })).toEqual([]);
    expect(rules({ 25: { generalMonth: -7 }, 32: { generalMonth: -7 } })).toEqual([]);
    expect(rules({ 25: { generalMonth: 7 }, 32: { generalMonth: 7 } })).toEqual(['VAT-33']);
  });

  test('the largest amounts do not overflow: they get a verdict', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const rules = (lines: object): unknown => version.check(filing(lines)).errors.map(({ rule }) => rule);
    expect(
      rules({
        12: { generalMonth: most },
        13: { generalMonth: most },
        14: { generalMonth: most },
        15: { generalMonth: most },
      }),
    ).toEqual([]);
    expect(rules({ 12: { generalMonth: most }, 13: { generalMonth: most } })).toEqual(['VAT-17']);
    expect(rules({ 12: { generalMonth: 0.5 } })).toEqual([undefined]);
  });

  test('no value of the filing is repeated in a message', () => {
    const secret = 'A7F3-geheim-91350100';
    const { errors } = version.check(
      filing({ 1: { generalMonth: secret, [secret]: 1 }, [secret]: {}, 33: { generalMonth: -987654321 } }),
    );
    expect(errors.length).toBe(4);
    expect(JSON.stringify(errors)).not.toMatch(/geheim|987654321/);
  });
});

describe('social insurance', () => {
  const path = 'si/contribution/2026-01/examples/valid-one-person.json';
  const version = versionOf('si.contribution', '2026-01');

  interface Contribution {
    readonly persons: Record<string, unknown>[];
  }

  function withPersons(count: number, change: (person: Record<string, unknown>, i: number) => object): FilingPayload {
    const payload = example(path);
    const data = payload.data as Contribution;
    return {
      ...payload,
      data: {
        ...data,
        persons: Array.from({ length: count }, (_, i) => ({ ...data.persons[0], ...change(data.persons[0] ?? {}, i) })),
      },
    };
  }

  test('a missing member has its own pointer, the row and its name', () => {
    const { errors } = version.check(withPersons(3, (_, i) => (i === 2 ? { wage: undefined } : {})));
    expect(errors).toEqual([
      {
        pointer: '/data/persons/2/wage',
        code: 'schema',
        severity: 'error',
        message: {
          zh: '人员明细·第3行·缴费工资：必填，不能缺少',
          en: 'Person lines, row 3, wage declared for contributions is required',
        },
      },
    ]);
  });

  test('10,000 lines, all wrong by the schema: 100 findings, the rest counted to a bound', () => {
    const payload = withPersons(10_000, () => ({ name: '', idType: 1, wage: -1, pension: { base: 'x' } }));
    const verdict = version.check(payload);
    expect(verdict.errors).toHaveLength(100);
    expect(verdict.more).toBeGreaterThanOrEqual(900);
  });

  test('10,000 lines, each against a rule: 100 findings and an exact count', () => {
    const payload = withPersons(10_000, (person) => ({ pension: { ...(person.pension as object), employer: 1 } }));
    const { errors, more } = version.check(payload);
    expect(errors).toHaveLength(100);
    const forEachPerson = 10_000;
    // Besides the lines: SI-COUNT, SI-DUPLICATE, and the totals of four insurances that no longer add up.
    expect(errors.length + more).toBeGreaterThan(forEachPerson);
    expect(errors.some(({ pointer }) => /^\/data\/persons\/\d+\/pension\/employer$/.test(pointer))).toBe(true);
    expect(JSON.stringify(errors)).not.toContain('{index}');
  });
});

describe('a broken definition is reported at its place', () => {
  const rules = 'tax/vat-general/2021-08/rules.json';
  const schema = 'psb/lodging/2026-01/schema.json';
  const type = 'psb/lodging/type.json';
  const once = (from: string, to: string) => (text: string) => {
    if (!text.includes(from)) throw new Error(`${from} is not in the file`);
    return text.replace(from, () => to);
  };
  const expression =
    '"expression": "data.lines[\\"20\\"][column] == data.lines[\\"17\\"][column] - data.lines[\\"18\\"][column]"';

  test.each([
    ['wrong JSON', schema, once('"event":', '"event"'), '"event"', /not JSON/],
    ['a rule that does not parse', rules, once(expression, '"expression": "data.lines["'), expression, /VAT-20/],
    [
      'a rule over a line that is not there',
      rules,
      once(expression, expression.replace('20', '42')),
      expression,
      /VAT-20.*data\.lines\.42/,
    ],
    [
      'a rule that is no bool',
      rules,
      once(expression, '"expression": "data.lines[\\"20\\"][column]"'),
      expression,
      /VAT-20.*bool/,
    ],
    [
      'a rule that mixes types',
      rules,
      once(expression, '"expression": "data.lines[\\"20\\"][column] == \\"x\\""'),
      expression,
      /VAT-20/,
    ],
    [
      'matches()',
      rules,
      once(expression, '"expression": "filer.matches(\\"a\\")"'),
      expression,
      /method matches is not allowed/,
    ],
    ['an unknown function', rules, once(expression, '"expression": "sqrt(1) == 1"'), expression, /sqrt/],
    [
      'a double',
      rules,
      once(expression, '"expression": "data.lines[\\"20\\"][column] * 1.5 > 1"'),
      expression,
      /whole numbers/,
    ],
    [
      'a macro in a macro',
      rules,
      once(expression, '"expression": "[1].all(x, [2].all(y, x < y))"'),
      expression,
      /macro inside a macro/,
    ],
    [
      'an expression without end',
      rules,
      once(expression, `"expression": "${Array(400).fill('1 == 1').join(' && ')}"`),
      expression,
      /VAT-20/,
    ],
    ['a rule id twice', rules, once('"id": "VAT-20"', '"id": "VAT-19"'), '"id": "VAT-20"', /VAT-19 is there twice/],
    [
      'a pointer to nowhere',
      rules,
      once('"/data/lines/20/{column}"', '"/data/lines/99/{column}"'),
      '"/data/lines/20/{column}"',
      /has no \/data\/lines\/99/,
    ],
    [
      'an unknown column',
      rules,
      once('"columns": ["generalMonth", "refundMonth"]', '"columns": ["nowhere", "refundMonth"]'),
      '"columns": ["generalMonth", "refundMonth"]',
      /column nowhere/,
    ],
    [
      'a misspelt keyword',
      schema,
      once('"enum": ["check-in", "check-out"]', '"enumeration": ["check-in", "check-out"]'),
      '"enum": ["check-in", "check-out"]',
      /enumeration is not known/,
    ],
    [
      'a property without an English name',
      schema,
      once('"x-title-en": "event", ', ''),
      '"title": "登记事项"',
      /no x-title-en/,
    ],
    [
      'a dangling reference',
      'amr/recall/2026-01/schema.json',
      once('#/$defs/quantity', '#/$defs/amount'),
      '#/$defs/quantity',
      /does not exist/,
    ],
    [
      'an open object',
      schema,
      once('"additionalProperties": false', '"additionalProperties": true'),
      '',
      /additionalProperties: false/,
    ],
    ['a type of a wrong shape', type, once('"status": "modelled"', '"status": "finished"'), '"status"', /status/],
  ])('%s', (_, path, change, at, message) => {
    const { problems } = load({ [path]: change });
    const found = problems?.find((problem) => problem.file === path && message.test(problem.message.en));
    expect(found, JSON.stringify(problems)).toBeDefined();
    if (at !== '' && found !== undefined) expect(found.line).toBe(lineOf(path, at));
  });

  test('versions with a hole or an overlap', () => {
    const path = 'tax/vat-general/type.json';
    const hole = load({ [path]: once('"to": "2025-01-31"', '"to": "2025-01-30"') }).problems ?? [];
    expect(hole[0]).toMatchObject({
      file: path,
      line: lineOf(path, '"from": "2025-02-01"'),
      message: { en: expect.stringContaining('hole') },
    });
    const overlap = load({ [path]: once('"to": "2025-01-31"', '"to": "2025-02-01"') }).problems ?? [];
    expect(overlap[0]?.message.en).toContain('overlaps');
  });

  test('an optional value without a declared default cannot be read by accident', () => {
    const path = 'psb/lodging/2026-01/rules.json';
    const problems = load({ [path]: once('"when": ["data.checkOut"],', '') }).problems ?? [];
    expect(problems[0]?.message.en).toMatch(/data\.checkOut may be absent/);
  });

  test('a rule without an example, an example that breaks nothing, one that breaks more', () => {
    const folder = 'psb/lodging/2026-01/examples/';
    const without = new Map(files);
    without.delete(`${folder}invalid-PSB-SEX.json`);
    expect(buildCatalogue(without).problems?.[0]).toMatchObject({
      file: 'psb/lodging/2026-01/rules.json',
      line: lineOf('psb/lodging/2026-01/rules.json', '"PSB-SEX"') - 1,
    });
    const sound = load({ [`${folder}invalid-PSB-SEX.json`]: () => files.get(`${folder}valid-check-in.json`) ?? '' });
    expect(sound.problems?.[0]?.message.en).toContain('must break rule PSB-SEX and does not');
    const more = load({ [`${folder}invalid-PSB-SEX.json`]: once('"1990-03-07"', '"1990-03-09"') });
    expect(more.problems?.[0]?.message.en).toContain('must break PSB-SEX only');
    const invalid = load({ [`${folder}valid-check-in.json`]: once('"LD-2026-000318"', '" "') });
    expect(invalid.problems?.[0]?.file).toBe(`${folder}valid-check-in.json`);
  });

  test('a file that nothing reads', () => {
    const { problems } = buildCatalogue(new Map([...files, ['psb/lodging/2026-01/exemples/valid-1.json', '{}']]));
    expect(problems?.[0]?.message.en).toContain('no type or version uses this file');
  });
});
