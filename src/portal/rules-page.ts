import { html } from 'hono/html';
import type {
  FilingType,
  FilingTypeVersion,
  OtherFiling,
  RegionalFigure,
  RuleConstant,
  RuleSum,
} from '../domain/filing-type.ts';
import type { DocumentedRule, RulesDocument } from '../domain/rules-document.ts';
import type { Language, Text } from '../std/text.ts';
import { definitions, NOTHING, page, t } from './page.ts';
import { inForce, STATUS } from './type-words.ts';
import { forPrograms } from './types-page.ts';

const WORDS = {
  types: t('可以申报的事项', 'What can be filed'),
  rules: t('勾稽规则', 'Rules'),
  version: t('版本', 'Version'),
  others: t('其他版本', 'Other versions'),
  inForce: t('适用所属期', 'For periods that end'),
  notice: t('依据', 'Follows'),
  status: t('状态', 'Status'),
  count: t('规则', 'Rules'),
  error: t('不符则退回', 'refuses the filing'),
  warning: t('不符则提示', 'warns'),
  errors: t('条不符则退回', 'refuse the filing'),
  warnings: t('条不符则提示', 'warn'),
  wholeForm: t('整张表', 'The form as a whole'),
  manyColumns: t('逐列检查，共', 'In each of'),
  columnsEnd: t('列', 'columns'),
  otherFilings: t('所比对的其他申报', 'Other filings that are looked at'),
  regional: t('各地标准', 'Figures of regions'),
  constants: t('所用标准与税率', 'Figures'),
  sums: t('所用合计', 'Sums'),
  name: t('名称', 'Name'),
  meaning: t('含义', 'Meaning'),
  value: t('取值', 'Value'),
  source: t('来源', 'Source'),
  message: t('提示：', 'It says: '),
  from: t('来源：', 'Source: '),
  shown: t('显示于', 'Shown at'),
  expression: t('程序表达式', 'Expression'),
  noRules: t('此版本没有规则：只检查表单结构。', 'This version has no rules: only the schema is checked.'),
  byOperator: t('由运维方按地区载入；未载入时', 'loaded by operators for each region; without any'),
  silent: t('规则不作判断', 'the rules say nothing'),
};

type Say = (word: keyof typeof WORDS) => string;

/** The rules of a version as documentation: by line, in words, with formula and source. */
export function rulesPage(
  type: FilingType,
  version: FilingTypeVersion,
  document: RulesDocument,
  language: Language,
): string {
  const say: Say = (word) => WORDS[word][language];
  const { metadata } = type;
  const typePath = `/v1/filing-types/${metadata.type}`;
  const path = `${typePath}/versions/${version.metadata.version}/rules`;
  const title = `${metadata.title[language]} · ${say('rules')}`;
  const main = html`<p class="trail"><a href="/v1/filing-types?lang=${language}">${say('types')}</a> › <a href="${typePath}?lang=${language}">${
    metadata.title[language]
  }</a></p>
<h2 class="first">${title} <code class="soft">${version.metadata.version}</code></h2>
${definitions([
  [say('inForce'), inForce(version.metadata, language)],
  [say('notice'), version.metadata.note?.[language] ?? metadata.notice[language]],
  [say('status'), STATUS[metadata.status][language]],
  [say('count'), counts(document.rules, say)],
  [say('others'), otherVersions(type, version, language)],
])}
${document.rules.length === 0 ? html`<p>${say('noRules')}</p>` : groups(document, say, language)}
${figures(document, say, language)}`;
  return page({ language, title: `${title} · 申报 Shenbao`, path, main, footer: forPrograms(path, language) });
}

function counts(rules: readonly DocumentedRule[], say: Say) {
  const errors = rules.filter(({ severity }) => severity === 'error').length;
  return html`<span class="badge error">${errors} ${say('errors')}</span> <span class="badge warning">${
    rules.length - errors
  } ${say('warnings')}</span>`;
}

function otherVersions({ metadata, versions }: FilingType, { metadata: own }: FilingTypeVersion, language: Language) {
  const others = [...versions.keys()].filter((version) => version !== own.version);
  return others.length === 0
    ? undefined
    : others.map(
        (version) =>
          html`<a href="/v1/filing-types/${metadata.type}/versions/${version}/rules?lang=${language}">${version}</a> `,
      );
}

/** Rules of one line stand together, in the order in which the file first comes to the line. */
function groups(document: RulesDocument, say: Say, language: Language) {
  const byPlace = new Map<string, DocumentedRule[]>();
  for (const rule of document.rules) {
    const place = placeName(rule, say, language);
    byPlace.set(place, [...(byPlace.get(place) ?? []), rule]);
  }
  return [...byPlace].map(
    ([place, rules]) =>
      html`<section><h3 class="line">${place}</h3>${rules.map((rule) => ruleCard(rule, document, say, language))}</section>`,
  );
}

function placeName({ part, line, lineName }: DocumentedRule, say: Say, language: Language): string {
  const words = lineName?.[language] ?? line ?? '';
  const name = part?.[language] ?? (words === '' ? say('wholeForm') : '');
  return capital([name, words].filter((word) => word !== '').join(' · '));
}

/** More columns than this are shown when somebody asks for them. */
export const FEW_COLUMNS = 6;

function columnList(columns: readonly string[], say: Say, language: Language) {
  const names = columns.join(language === 'zh' ? '、' : '; ');
  return html`<details><summary>${say('manyColumns')} ${columns.length} ${say('columnsEnd')}</summary><p class="soft">${names}</p></details>`;
}

function ruleCard(rule: DocumentedRule, document: RulesDocument, say: Say, language: Language) {
  const columns = rule.columns?.map((name) => document.columns[name]?.[language] ?? name);
  return html`<article class="rule ${rule.severity}" id="${rule.id}">
<h4><a href="#${rule.id}"><code>${rule.id}</code></a> ${rule.title[language]} <span class="badge ${rule.severity}">${say(rule.severity)}</span></h4>
<p class="formula">${capital(rule.formula[language])}</p>
<p class="soft">${say('message')}${readable(rule.message, language)}</p>
${columns === undefined || columns.length <= FEW_COLUMNS ? NOTHING : columnList(columns, say, language)}
<details><summary>${say('expression')}</summary><pre><code>${rule.expression}</code></pre></details>
<p class="soft">${say('from')}${rule.source} · ${say('shown')} <code>${rule.pointer}</code></p>
</article>`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

const PLACEHOLDERS: readonly (readonly [RegExp, Text])[] = [
  [/\{column\}/g, t('各列', 'each column')],
  [/\{index\}/g, t('各行', 'each row')],
];

/** A message as it would be said of no column and row in particular. */
function readable(message: Text, language: Language): string {
  return PLACEHOLDERS.reduce((text, [pattern, word]) => text.replace(pattern, word[language]), message[language]);
}

/** What rules read beside the filing. */
function figures(document: RulesDocument, say: Say, language: Language) {
  const others = Object.entries(document.others).map(
    ([name, other]) => [`others.${name}`, other.title[language], otherWords(other, language), other.type] as const,
  );
  const regional = Object.entries(document.regional).map(
    ([name, figure]) =>
      [`regional.${name}`, figure.title[language], regionalWords(figure, say), figure.source] as const,
  );
  const constants = Object.entries(document.constants).map(
    ([name, constant]) =>
      [`constants.${name}`, constant.title[language], valueWords(constant), constant.source] as const,
  );
  const sums = document.sums.map((sum) => [`sums.${sum.name}`, sumWords(sum, language)] as const);
  return html`${table(say('otherFilings'), [say('name'), say('meaning'), say('value'), say('types')], others)}
${table(say('regional'), [say('name'), say('meaning'), say('value'), say('source')], regional)}
${table(say('constants'), [say('name'), say('meaning'), say('value'), say('source')], constants)}
${table(say('sums'), [say('name'), say('meaning')], sums)}`;
}

function table(title: string, heads: readonly string[], rows: readonly (readonly string[])[]) {
  if (rows.length === 0) return NOTHING;
  return html`<h2>${title}</h2>
<div class="scroll"><table>
<tr>${heads.map((head) => html`<th>${head}</th>`)}</tr>
${rows.map(([name, ...cells]) => html`<tr><td><code>${name}</code></td>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}
</table></div>`;
}

const PERIODS: Readonly<Record<NonNullable<OtherFiling['period']>, Text>> = {
  previous: t('上一个所属期', 'the period before'),
  same: t('同一所属期', 'the same period'),
  within: t('本所属期之内各期合计', 'all periods inside this one, added up'),
  'year-before': t('上年同期', 'the same period a year earlier'),
};

function otherWords({ period, reference }: OtherFiling, language: Language): string {
  if (period !== undefined) return PERIODS[period][language];
  return t(`单据号等于 ${reference}`, `whose reference is ${reference}`)[language];
}

function regionalWords({ value, unit }: RegionalFigure, say: Say): string {
  return `${say('byOperator')} ${value === undefined ? say('silent') : `${value} ${unit}`}`;
}

function valueWords({ value }: RuleConstant): string {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.join(', ');
  return Object.entries(value)
    .map(([name, one]) => `${name} ${one}`)
    .join(', ');
}

function sumWords({ sum, count, distinct, by }: RuleSum, language: Language): string {
  if (sum !== undefined) return t(`${sum} 的合计`, `the sum of ${sum}`)[language];
  if (count !== undefined) return t(`${count} 的个数`, `how many ${count} there are`)[language];
  const names =
    by === undefined ? '' : t(`（按 ${by.join('、')} 区分）`, ` (told apart by ${by.join(', ')})`)[language];
  return t(`${distinct} 中不同者的个数${names}`, `how many different ${distinct} there are${names}`)[language];
}
