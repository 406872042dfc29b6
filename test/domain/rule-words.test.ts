import { expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import { describeRule } from '../../src/domain/rules/words.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';
import type { Text } from '../../src/std/text.ts';

const { catalogue } = buildCatalogue(await readSchemaFiles(), { alreadyChecked: true });
const types = [...(catalogue?.types.values() ?? [])];
const newest = new Map(
  types.map(({ metadata, versions }) => [metadata.type, [...versions.values()].at(-1)?.schema ?? {}]),
);
/** Filings of a rule's own type are spoken of by the lines of its own version. */
const withOwn = (type: string, schema: object) => new Map([...newest, [type, schema]]);
const all = types.flatMap(({ metadata, versions }) =>
  [...versions.values()].flatMap(({ metadata: { version }, rules, ruleSet, schema }) =>
    rules.map((rule) => ({ type: metadata.type, version, rule, ruleSet, schema })),
  ),
);

const words = (type: string, version: string, id: string): Text => {
  const found = all.find((one) => one.type === type && one.version === version && one.rule.id === id);
  if (found === undefined) throw new Error(`${id} is not there`);
  return describeRule(found.rule, found.ruleSet, found.schema, withOwn(type, found.schema));
};

test('every shipped rule has a formula in both languages without names of the format', () => {
  expect(all.length).toBeGreaterThan(300);
  const unclear = all.flatMap(({ type, rule, ruleSet, schema }) => {
    const { zh, en } = describeRule(rule, ruleSet, schema, withOwn(type, schema));
    const isClear =
      zh !== '' &&
      en !== '' &&
      !/\b(?:data|item|sums|constants|others|regional)[.[]|\bcolumn\]|\$\d|undefined|&&|\|\||==/.test(`${zh} ${en}`) &&
      !/[\p{Script=Han}]/u.test(en);
    return isClear ? [] : [`${type} ${rule.id}: ${zh} / ${en}`];
  });
  expect(unclear).toEqual([]);
});

test.each([
  [
    'tax.vat.general',
    '2021-08',
    'VAT-20',
    '第20栏“期末留抵税额”·各项 = 第17栏“应抵扣税额合计”·各项 − 第18栏“实际抵扣税额”·各项；各项：一般项目本月数、即征即退项目本月数',
  ],
  [
    'tax.vat.general',
    '2021-08',
    'VAT-13-CARRIED',
    '第13栏“上期留抵税额”·各项 = 上期申报表的第20栏“期末留抵税额”·各项；各项：一般项目本月数、即征即退项目本月数',
  ],
  [
    'si.contribution',
    '2026-01',
    'SI-BASE-CEILING',
    '本行各项·缴费基数 ≤ 当地“月缴费基数上限”；各项：基本养老保险、基本医疗保险（含生育）、失业保险、工伤保险；对“人员明细”的每一行',
  ],
  ['si.contribution', '2026-01', 'SI-DUPLICATE', '按证件类型、证件号码不重复的人员明细行数 = 人员明细·证件号码的个数'],
  ['amr.recall', '2026-01', 'AMR-START-STANDS', '报告阶段 = “start”，或启动报告已报送'],
  ['amr.annual', '2026-01', 'ANN-BALANCE', '资产总额·金额 = 负债总额·金额 + 所有者权益合计·金额'],
  ['amr.incident', '2026-01', 'INC-FOOD', '（事件类别 = “food”） = （已填食品信息）'],
])('%s %s %s', (type, version, id, zh) => {
  expect(words(type, version, id).zh).toBe(zh);
});

test('the English formula says the same', () => {
  expect(words('tax.vat.general', '2021-08', 'VAT-34').en).toMatch(
    /^line 34 ".+" · each = line 24 ".+" · each − line 28 ".+" · each − line 29 ".+" · each; each of: .+; .+$/,
  );
  expect(words('amr.recall', '2026-01', 'AMR-START-STANDS').en).toBe('stage = "start", or the start report was filed');
});

test('brackets stay where they matter, and figures are named with their value', () => {
  const { ruleSet, schema } = all.find(({ rule }) => rule.id === 'CIT-18') ?? { ruleSet: undefined, schema: {} };
  const [rule] = ruleSet?.rules ?? [];
  if (ruleSet === undefined || rule === undefined) throw new Error('the rule is there');
  const say = (expression: string): string => {
    const { columns: _columns, when: _when, each: _each, ...plain } = rule;
    return describeRule({ ...plain, expression }, ruleSet, schema).zh;
  };
  expect(say('1 - (2 - 3) == 4 && (true || 5 > 6)')).toBe('1 − （2 − 3） = 4 且 （是，或5 > 6）');
  expect(say('(1 + 2) * -3 <= constants.rate')).toMatch(/^（1 \+ 2） × −3 ≤ “.+”（2500）$/);
  expect(say('!has(data.quarters) ? period.from < "2026" : 7 in [8, 9]')).toBe(
    '非（已填按季度填报信息） 时为 所属期起 < “2026”，否则为 7 为 8、9 之一',
  );
  expect(say('abs(min(1, 2)) == round_half_up(3, 4)')).toBe('|较小者（1，2）| = 四舍五入（3 ÷ 4）');
});
