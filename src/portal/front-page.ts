import { html } from 'hono/html';
import type { FilingTypeMetadata } from '../domain/filing-type.ts';
import type { Language, Text } from '../std/text.ts';
import { page, t } from './page.ts';
import { typeTable } from './types-page.ts';

export interface FrontPageFacts {
  readonly language: Language;
  readonly env: string;
  /** The gateway's public URL. */
  readonly issuer: string;
  /** Whether it can commit at the moment. */
  readonly isReady: boolean;
  readonly filingTypes: readonly FilingTypeMetadata[];
}

const WORDS = {
  title: t('申报网关', 'Declaration gateway'),
  lead: t(
    '企业的财务软件把签名的税务、社保、市场监管与公安申报送到这里。网关逐项校验、一次且仅一次地存入，并返回任何人都能离线验证的回执；各机关按批拉取，并能自行证明一笔不漏。',
    'Accounting software submits signed tax, social-insurance, market-regulation and public-security declarations here. Each is checked, stored once and for good, and answered with a receipt that anyone can verify offline; the offices pull them in batches and can prove that nothing is missing.',
  ),
  ready: t('运行正常，可以受理', 'Running, filings are accepted'),
  notReady: t('正在运行，暂时不能受理', 'Running, but filings cannot be accepted at the moment'),
  env: t('环境', 'Environment'),
  sandbox: t('沙箱（测试用，无法律效力）', 'sandbox (for tests, no legal effect)'),
  production: t('生产', 'production'),
  first: t('提交第一份申报', 'A first filing'),
  types: t('可以申报的事项', 'What can be filed'),
  submit: t('软件开发者', 'For software'),
  submitText: t(
    '签名后提交。回执丢失时原样重发即可：不会重复申报，返回的仍是原回执。',
    'Sign and submit. When an answer is lost, send the same again: nothing is filed twice, and the original receipt comes back.',
  ),
  docs: t('接口文档', 'API documentation'),
  openapi: t('OpenAPI 文件', 'OpenAPI document'),
  problems: t('错误代码', 'Error codes'),
  pull: t('机关', 'For offices'),
  pullText: t(
    '每个机关有一份连续编号的申报日志。拉取后可以自行算出根哈希，与网关签名的检查点核对。',
    'Each office has a log without gaps. Whoever has pulled it computes the root and compares it with the signed checkpoint.',
  ),
  keys: t('网关公钥', 'Public keys of the gateway'),
  catalogue: t('申报类型与规则', 'Filing types and rules'),
  run: t('运维', 'For operators'),
  runText: t(
    '存活、就绪与指标。日志只含编号和代码，不含申报内容。',
    'Liveness, readiness and metrics. Logs carry ids and codes, never contents.',
  ),
  alive: t('存活', 'Liveness'),
  readiness: t('就绪', 'Readiness'),
  metrics: t('指标', 'Metrics'),
} satisfies Record<string, Text>;

/** The page at `/`: what this is, whether it works, where to go. Plain HTML; needs no script. */
export function frontPage(facts: FrontPageFacts): string {
  const { language } = facts;
  const say = (word: keyof typeof WORDS): string => WORDS[word][language];
  const link = (href: string, word: keyof typeof WORDS) => html`<a href="${href}">${say(word)}</a>`;
  const main = html`<p class="lead">${say('lead')}</p>
<p class="states"><span class="state ${facts.isReady ? 'good' : 'bad'}">${say(facts.isReady ? 'ready' : 'notReady')}</span><span class="state">${say('env')}: ${
    facts.env === 'production' ? say('production') : say('sandbox')
  }</span></p>
<ul class="cards">
<li><h3>${say('submit')}</h3><p>${say('submitText')}</p>${link('/docs', 'docs')} · ${link('/openapi.json', 'openapi')} · ${link('/v1/problems', 'problems')}</li>
<li><h3>${say('pull')}</h3><p>${say('pullText')}</p>${link('/.well-known/jwks.json', 'keys')} · ${link('/v1/filing-types', 'catalogue')}</li>
<li><h3>${say('run')}</h3><p>${say('runText')}</p>${link('/healthz', 'alive')} · ${link('/readyz', 'readiness')} · ${link('/metrics', 'metrics')}</li>
</ul>
<h2>${say('first')}</h2>
<pre><code>${firstFiling(facts.issuer)}</code></pre>
<h2>${say('types')}</h2>
${typeTable(facts.filingTypes, language)}`;
  const footer = html`${link('/docs', 'docs')}${link('/openapi.json', 'openapi')}${link('/v1/filing-types', 'catalogue')}`;
  return page({ language, title: `申报 Shenbao · ${say('title')}`, path: '/', main, footer });
}

function firstFiling(issuer: string): string {
  return [
    `npx shenbao sign filing.json --key filer.jwk --gateway ${issuer} --out filing.jws`,
    `curl -i ${issuer}/v1/filings -H 'Content-Type: application/jose' --data-binary @filing.jws`,
  ].join('\n');
}
