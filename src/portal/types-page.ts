import { html } from 'hono/html';
import type { FilingType, FilingTypeMetadata, FilingTypeVersion } from '../domain/filing-type.ts';
import type { Language } from '../std/text.ts';
import { definitions, NOTHING, page, t } from './page.ts';
import { AGENCIES, deadlineWords, inForce, kindWords, periodWords, STATUS } from './type-words.ts';

const WORDS = {
  types: t('可以申报的事项', 'What can be filed'),
  lead: t(
    '每一种申报都是一个数据目录：表单、勾稽规则、样例。点开可以查看各版本的规则及其依据。',
    'Every type of filing is a folder of data: form, rules, examples. Open one to see the rules of each version and where they come from.',
  ),
  type: t('类型', 'Type'),
  name: t('名称', 'Name'),
  agency: t('主管部门', 'Agency'),
  period: t('所属期', 'Period'),
  deadline: t('申报期限', 'Due'),
  kinds: t('受理后可以', 'May follow it'),
  notice: t('依据', 'Follows'),
  status: t('状态', 'Status'),
  source: t('资料来源', 'Sources'),
  versions: t('版本', 'Versions'),
  version: t('版本', 'Version'),
  inForce: t('适用所属期', 'For periods that end'),
  note: t('说明', 'Note'),
  contents: t('内容', 'Contents'),
  rules: t('条规则', 'rules'),
  schema: t('表单结构', 'schema'),
  example: t('样例', 'example'),
  noTypes: t('尚未装入任何申报类型。', 'No filing types are loaded.'),
  json: t('程序读取本页：', 'For programs:'),
};

type Say = (word: keyof typeof WORDS) => string;

const sayIn =
  (language: Language): Say =>
  (word) =>
    WORDS[word][language];

export function typeTable(types: readonly FilingTypeMetadata[], language: Language) {
  const say = sayIn(language);
  if (types.length === 0) return html`<p>${say('noTypes')}</p>`;
  const rows = types.map(
    (type) =>
      html`<tr><td><a href="/v1/filing-types/${type.type}?lang=${language}"><code>${type.type}</code></a></td><td>${
        type.title[language]
      }</td><td>${AGENCIES[type.agency][language]}</td><td>${periodWords(type, language)}</td></tr>`,
  );
  return html`<div class="scroll"><table>
<tr><th>${say('type')}</th><th>${say('name')}</th><th>${say('agency')}</th><th>${say('period')}</th></tr>
${rows}
</table></div>`;
}

/** All types. */
export function typesPage(types: readonly FilingTypeMetadata[], language: Language): string {
  const say = sayIn(language);
  const path = '/v1/filing-types';
  const main = html`<h2 class="first">${say('types')}</h2>
<p class="soft">${say('lead')}</p>
${typeTable(types, language)}`;
  return page({
    language,
    title: `${say('types')} · 申报 Shenbao`,
    path,
    main,
    footer: forPrograms(path, language),
  });
}

/** One type with its versions. */
export function typePage({ metadata, versions }: FilingType, language: Language): string {
  const say = sayIn(language);
  const path = `/v1/filing-types/${metadata.type}`;
  const main = html`<p class="trail"><a href="/v1/filing-types?lang=${language}">${say('types')}</a></p>
<h2 class="first">${metadata.title[language]} <code class="soft">${metadata.type}</code></h2>
<p>${metadata.description[language]}</p>
${definitions([
  [say('agency'), AGENCIES[metadata.agency][language]],
  [say('period'), periodWords(metadata, language)],
  [say('deadline'), deadlineWords(metadata, language)],
  [say('kinds'), kindWords(metadata, language)],
  [say('notice'), metadata.notice[language]],
  [say('status'), STATUS[metadata.status][language]],
  [say('source'), metadata.source],
])}
<h2>${say('versions')}</h2>
<div class="scroll"><table>
<tr><th>${say('version')}</th><th>${say('inForce')}</th><th>${say('note')}</th><th>${say('contents')}</th></tr>
${[...versions.values()].reverse().map((version) => versionRow(path, version, language))}
</table></div>`;
  return page({
    language,
    title: `${metadata.title[language]} · 申报 Shenbao`,
    path,
    main,
    footer: forPrograms(path, language),
  });
}

function versionRow(path: string, { metadata, rules }: FilingTypeVersion, language: Language) {
  const say = sayIn(language);
  const link = (what: string, words: string) =>
    html`<a href="${path}/versions/${metadata.version}/${what}${what === 'rules' ? `?lang=${language}` : ''}">${words}</a>`;
  return html`<tr><td><code>${metadata.version}</code></td><td>${inForce(metadata, language)}</td><td>${
    metadata.note?.[language] ?? NOTHING
  }</td><td>${link('rules', `${rules.length} ${say('rules')}`)} · ${link('schema', say('schema'))} · ${link('example', say('example'))}</td></tr>`;
}

/** The same address gives programs JSON. */
export function forPrograms(path: string, language: Language) {
  return html`<p>${sayIn(language)('json')} <code>curl -s …${path}</code></p><p><a href="/docs">API</a></p>`;
}
