import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { FilingPayload } from '../../src/domain/filing.ts';
import type { FilingTypeVersion } from '../../src/domain/filing-type.ts';

export const text = (en: string) => ({ zh: en, en });
export const fen = { type: 'integer', minimum: -1e15, maximum: 1e15, default: 0, 'x-unit': 'fen' };
export const named = (node: object, en: string) => ({ ...node, title: en, 'x-title-en': en });

export const schemaOf = (properties: object) => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'a form',
  'x-title-en': 'a form',
  type: 'object',
  properties,
  additionalProperties: false,
});

const SALES = schemaOf({
  month: named(fen, 'this month'),
  year: named(fen, 'this year'),
  note: named({ type: 'string', maxLength: 20 }, 'note'),
  staff: named(
    {
      type: 'array',
      maxItems: 10_000,
      items: {
        ...named({ type: 'object' }, 'person'),
        properties: { id: named({ type: 'string', maxLength: 20 }, 'number'), paid: named(fen, 'paid') },
        required: ['id', 'paid'],
        additionalProperties: false,
      },
    },
    'staff',
  ),
});

export const rule = (id: string, expression: string, more: object = {}) => ({
  id,
  severity: 'warning',
  pointer: '/data/year',
  title: text(id),
  message: text(`${id} is broken`),
  expression,
  source: 'test',
  ...more,
});

const metadata = (type: string, folder: string, periods: readonly string[], more: object = {}) => [
  `${folder}/type.json`,
  {
    type,
    agency: 'tax',
    title: text(type),
    description: text(type),
    periods,
    deadline: { rule: 'none' },
    kinds: { correction: true, void: true },
    notice: text('none'),
    status: 'modelled',
    source: 'test',
    versions: [{ version: '1', from: '2020-01-01' }],
    ...more,
  },
];

export const payload = (type: string, from: string, to: string, data: object): FilingPayload => ({
  type,
  filer: '91350100M000100Y43',
  period: { from, to },
  kind: 'original',
  data,
});
export const sales = (month: string, data: object): FilingPayload =>
  payload('tax.sales', `${month}-01`, `${month}-28`, data);
export const february = (data: object): FilingPayload => sales('2026-02', data);
export const tax = (data: object): FilingPayload => payload('tax.income', '2026-01-01', '2026-03-31', data);

/** A monthly return of sales and a quarterly one, with these rules. Nothing about their examples matters here. */
export function load(rules: { readonly sales?: object; readonly income?: object }, more: object = {}) {
  const files: (readonly [string, object])[] = [
    metadata('tax.sales', 'tax/sales', ['month'], more) as [string, object],
    ['tax/sales/1/schema.json', SALES],
    ['tax/sales/1/rules.json', { rules: [], ...rules.sales }],
    ['tax/sales/1/examples/valid-a.json', february({})],
    ['tax/sales/1/examples/valid-b.json', february({ month: 1, year: 1 })],
    metadata('tax.income', 'tax/income', ['quarter']) as [string, object],
    ['tax/income/1/schema.json', schemaOf({ revenue: named(fen, 'revenue'), paid: named(fen, 'paid') })],
    ['tax/income/1/rules.json', { rules: [], ...rules.income }],
    ['tax/income/1/examples/valid-a.json', tax({})],
    ['tax/income/1/examples/valid-b.json', tax({ revenue: 1 })],
  ];
  return new Map(files.map(([path, value]) => [path, JSON.stringify(value, undefined, 1)]));
}

/** The version as the gateway compiles it when the types were checked before: examples are not looked at. */
export function versionOf(rules: Parameters<typeof load>[0], type = 'tax.sales'): FilingTypeVersion {
  const version = buildCatalogue(load(rules), { alreadyChecked: true }).catalogue?.types.get(type)?.versions.get('1');
  if (version === undefined) throw new Error('the version is there');
  return version;
}

export const problemsOf = (rules: Parameters<typeof load>[0], more?: object): string[] =>
  (buildCatalogue(load(rules, more)).problems ?? []).map(({ file, line, message }) => `${file}:${line} ${message.en}`);

export const found = (
  version: FilingTypeVersion,
  filing: FilingPayload,
  others: Readonly<Record<string, readonly FilingPayload[]>>,
): (string | undefined)[] => version.compare(filing, new Map(Object.entries(others))).map((finding) => finding.rule);
