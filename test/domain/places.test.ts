import { expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import { rulesDocument } from '../../src/domain/rules-document.ts';
import { isNumbering } from '../../src/domain/schema-node.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';

const files = new Map([...(await readSchemaFiles())].filter(([path]) => path.startsWith('tax/')));
const { catalogue, problems } = buildCatalogue(files);
if (catalogue === undefined) throw new Error(JSON.stringify(problems));

type Form = readonly [type: string, version: string, example: string];

/** What is said of one member of `/data` that is not an integer, when the rest of the example is sound. */
function saidOf([type, version, example]: Form, pointer: string): { zh?: string; en?: string } {
  const payload = JSON.parse(files.get(example) ?? 'null');
  const segments = pointer.split('/').slice(1);
  const last = segments.pop() ?? '';
  let place = payload;
  for (const segment of segments) place = place[segment] ??= {};
  place[last] = '1';
  const found = catalogue?.types.get(type)?.versions.get(version)?.check(payload).errors ?? [];
  return found.find((error) => error.code === 'schema' && error.pointer === pointer)?.message ?? {};
}

const VAT = ['tax.vat.general', '2021-08', 'tax/vat-general/2021-08/examples/valid-full.json'] as const;
const CIT = ['tax.cit.prepay', '2025-10', 'tax/cit-prepay/2025-10/examples/valid-ordinary.json'] as const;
const STAMP = ['tax.stamp', '2022-07', 'tax/stamp/2022-07/examples/valid-quarter.json'] as const;
const IIT = ['tax.iit.withholding', '2022-01', 'tax/iit-withholding/2022-01/examples/valid-month-1.json'] as const;

test.each([
  [
    VAT,
    '/data/lines/19/generalMonth',
    '第19栏“应纳税额”·一般项目本月数：',
    'Line 19 "Tax payable", general items, this month ',
  ],
  [
    VAT,
    '/data/schedule1/goods13/sales',
    '附列资料（一）·第1行“13%税率的货物及加工修理修配劳务”·合计销售额：',
    'Schedule 1, row 1 "goods, processing and repair at 13%", total sales ',
  ],
  [VAT, '/data/schedule2/customs/tax', '附列资料（二）·第5栏“海关进口增值税专用缴款书”·税额：', 'Schedule 2, line 5 '],
  [
    VAT,
    '/data/schedule5/educationSurcharge/base',
    '附列资料（五）·教育费附加·计税（费）依据：',
    'Schedule 5, education surcharge, ',
  ],
  [CIT, '/data/lines/revenue', '第1行“营业收入”：', 'Row 1 "Operating revenue" '],
  [IIT, '/data/persons/0/income', '人员明细·第1行·第8列“收入”：', 'Person lines, row 1, column 8 "income" '],
])('%j %s is called what the form calls it', (form, pointer, zh, en) => {
  const said = saidOf(form, pointer);
  expect(said.zh?.startsWith(zh), said.zh).toBe(true);
  expect(said.en?.startsWith(en), said.en).toBe(true);
});

test('a unit is named with the bound of an amount', () => {
  const pointer = '/data/sources/0/ratePer100k';
  const said = saidOf(STAMP, pointer);
  expect(said.zh).toContain('应为整数（单位：十万分之一）');
  expect(said.en).toContain('must be an integer (in hundred-thousandths)');
});

test('how a form numbers its places has a known form', () => {
  for (const right of [{}, { as: 'row' }, { as: 'column', of: { zh: '附列资料（一）', en: 'schedule 1' } }])
    expect(isNumbering(right)).toBe(true);
  for (const wrong of [
    null,
    'row',
    [],
    { as: 'cell' },
    { as: 'toString' },
    { of: { zh: '附列资料（一）' } },
    { on: 'row' },
  ])
    expect(isNumbering(wrong)).toBe(false);
});

test.each([
  ['tax.cit.prepay', '2025-10', 'CIT-32', '第32行', 'row 32'],
  ['tax.vat.general', '2021-08', 'VAT-19', '第19栏', 'line 19'],
  ['tax.iit.withholding', '2022-01', 'IIT-TAX', '第38列', 'column 38'],
])('%s %s documents the place of %s as %s, %s', (name, version, id, zh, en) => {
  const type = catalogue.types.get(name);
  const found = type?.versions.get(version);
  const rules = type && found ? rulesDocument(catalogue, type, found).rules : [];
  expect(rules.find((rule) => rule.id === id)?.lineName).toEqual({ zh, en });
});
