import { html, raw } from 'hono/html';
import type { Delivery } from '../ingest/delivery.ts';
import type { PrintableFiling } from '../ingest/printable.ts';
import type { FollowedFiling } from '../ingest/read.ts';
import { formatInstant, parseInstant } from '../std/clock.ts';
import type { Language, Text } from '../std/text.ts';
import { definitions, NOTHING, t } from './page.ts';
import { qrCode } from './qr-code.ts';
import { RECEIPT_STYLE } from './receipt-style.ts';

export interface ReceiptPageFacts extends PrintableFiling {
  readonly language: Language;
  /** A tlog-proof of the filing under the checkpoint that the office has cosigned; absent as long as there is none. */
  readonly proof: string | undefined;
}

const WORDS = {
  title: t('申报回执', 'Filing receipt'),
  gateway: t('申报网关', 'Declaration gateway'),
  sandbox: t('沙箱：无法律效力', 'sandbox: no legal effect'),
  id: t('申报编号', 'Filing'),
  type: t('申报事项', 'Type'),
  filer: t('申报人', 'Filer'),
  office: t('受理机关', 'Office'),
  period: t('所属期', 'Period'),
  reference: t('单据号', 'Reference'),
  kind: t('申报种类', 'Kind'),
  supersedes: t('所更正的申报', 'Replaces'),
  receivedAt: t('收到时间', 'Received'),
  beijing: t('（北京时间）', ' (Beijing time)'),
  late: t('是否逾期', 'Late'),
  yes: t('是', 'yes'),
  no: t('否', 'no'),
  status: t('状态', 'Status'),
  warnings: t('提示', 'Warnings'),
  digest: t('申报内容摘要', 'Digest'),
  leaf: t('日志叶子', 'Log leaf'),
  code: t('编号、摘要、叶子、收到时间与取回地址', 'Id, digest, leaf, time and where to fetch it'),
  codeLabel: t('本回执的二维码', 'QR code of this receipt'),
  delivery: t('送达', 'Delivery'),
  notDelivered: t('机关尚未确认收到。', 'The office has not acknowledged it yet.'),
  delivered: t('已送达', 'Delivered'),
  cosigned: t('已送达，机关已会签', 'Delivered, cosigned by the office'),
  key: t('机关密钥编号', 'Key of the office'),
  publicKey: t('机关公钥', 'Public key'),
  cosignature: t('会签', 'Cosignature'),
  cosignedAt: t('会签时间', 'Cosigned'),
  verify: t('如何验证', 'How to verify'),
  receipt: t('回执原文（JSON）', 'The receipt itself (JSON)'),
  save: t('保存回执', 'Save the receipt'),
  proof: t('送达证明（tlog-proof）', 'Proof of delivery (tlog-proof)'),
  saveProof: t('保存送达证明', 'Save the proof of delivery'),
  officeKey: t('机关公钥（JWK）', "The office's public key (JWK)"),
  saveKey: t('保存机关公钥', "Save the office's public key"),
} satisfies Record<string, Text>;

const STATUSES: Readonly<Record<string, Text>> = {
  accepted: t('已受理', 'accepted'),
  superseded: t('已被更正申报取代', 'replaced by a correction'),
  voided: t('已作废', 'voided'),
};

const KINDS: Readonly<Record<string, Text>> = {
  original: t('首次申报', 'original'),
  correction: t('更正申报', 'correction'),
  supplement: t('补充申报', 'supplement'),
  void: t('作废', 'voiding'),
};

type Say = (word: keyof typeof WORDS) => string;

/** One sheet of paper that can be read, scanned, saved and verified. Needs no script, and nothing else from anywhere. */
export function receiptPage(facts: ReceiptPageFacts): string {
  const { filing, language } = facts;
  const say: Say = (word) => WORDS[word][language];
  const built = html`<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${say('title')} ${filing.id}</title>
<style>${raw(RECEIPT_STYLE)}</style>
</head>
<body>
<main>
<header><h1>${say('title')}</h1>${
    filing.receipt.statement.env === 'production' ? NOTHING : html`<span class="badge">${say('sandbox')}</span>`
  }<span class="soft">申报 Shenbao · ${say('gateway')} · ${filing.receipt.statement.iss}</span></header>
<div class="facts">
${factsOf(facts, say)}
<figure class="code">${qrCode(receiptLink(filing), say('codeLabel'))}<figcaption>${say('code')}</figcaption></figure>
</div>
${deliveryOf(facts, say)}
<section>
<h2>${say('verify')}</h2>
<ol class="small">${stepsOf(facts).map((step) => html`<li>${step[language]}</li>`)}</ol>
</section>
<div class="screen">
${filesOf(facts, say).map(embedded)}
</div>
</main>
</body>
</html>
`;
  return built.toString();
}

/**
 * What the QR code holds: the receipt's address, and after `#`, which is never sent to a server, what it must state. So a
 * phone opens it, and a verifier without a network knows which receipt the sheet is of.
 */
function receiptLink({ id, digest, receivedAt, receipt: { statement } }: FollowedFiling): string {
  const facts = new URLSearchParams({ id, digest, leaf: statement.leaf, receivedAt });
  return `${statement.iss.replace(/\/+$/, '')}/v1/filings/${id}/receipt#${facts}`;
}

function factsOf({ filing, filerName, officeName, typeTitle, language }: ReceiptPageFacts, say: Say) {
  const { period, warnings } = filing;
  const type = html`${typeTitle?.[language] ?? ''} <code>${filing.type} ${filing.version}</code>`;
  return html`<div>${definitions([
    [say('id'), html`<strong>${filing.id}</strong>`],
    [say('type'), type],
    [say('filer'), html`<bdi>${filerName ?? ''}</bdi> <code>${filing.filer}</code>`],
    [say('office'), html`<bdi>${officeName?.[language] ?? ''}</bdi> <code>${filing.office}</code>`],
    [say('period'), period.from === period.to ? period.from : `${period.from} – ${period.to}`],
    [say('reference'), filing.reference && html`<bdi>${filing.reference}</bdi>`],
    [say('kind'), (KINDS[filing.kind] ?? t(filing.kind, filing.kind))[language]],
    [say('supersedes'), filing.supersedes],
    [
      say('receivedAt'),
      html`${beijingTime(filing.receivedAt)}${say('beijing')} <code class="whole">${filing.receivedAt}</code>`,
    ],
    [say('late'), filing.late ? say('yes') : say('no')],
    [say('status'), statusWords(filing, language)],
    [say('warnings'), warnings.length === 0 ? undefined : String(warnings.length)],
    [say('digest'), html`<code>${filing.digest}</code>`],
    [say('leaf'), html`<code>${filing.receipt.statement.leaf}</code>`],
  ])}</div>`;
}

function statusWords({ status, history }: FollowedFiling, language: Language): string {
  const words = (STATUSES[status] ?? t(status, status))[language];
  const by = history.at(-1)?.by;
  return by === undefined ? words : `${words} (${by})`;
}

function deliveryOf({ filing: { delivery }, cosigner, language }: ReceiptPageFacts, say: Say) {
  if (delivery === undefined) return html`<section><h2>${say('delivery')}</h2><p>${say('notDelivered')}</p></section>`;
  const { cosignature } = delivery;
  const words = html`<p><span class="delivered">${say(cosignature === undefined ? 'delivered' : 'cosigned')}</span> ${
    deliveryWords(delivery)[language]
  }</p>`;
  if (cosignature === undefined) return html`<section><h2>${say('delivery')}</h2>${words}</section>`;
  const line = cosignature.checkpoint.trimEnd().split('\n').at(-1);
  return html`<section><h2>${say('delivery')}</h2>${words}
<div class="small">${definitions([
    [say('cosignedAt'), html`${beijingTime(cosignature.at)}${say('beijing')}`],
    [say('key'), html`<code>${cosignature.kid}</code>`],
    [say('publicKey'), cosigner && html`<code>${cosigner.toString('base64url')}</code>`],
    [say('cosignature'), html`<code>${line}</code>`],
  ])}</div></section>`;
}

function deliveryWords({ at, size, cosignature }: Delivery): Text {
  const when = beijingTime(at);
  const proved = t(
    `机关于 ${when}（北京时间）以自行计算的默克尔根确认：其日志前 ${size} 份（含本份）齐全无误`,
    `On ${when} (Beijing time) the office proved, with a Merkle root of its own computing, that it has its log whole up to entry ${size - 1}, this filing included.`,
  );
  if (cosignature === undefined) return t(`${proved.zh}。`, proved.en);
  return t(
    `${proved.zh}，并对前 ${cosignature.size} 份的检查点作了会签。`,
    `${proved.en} It has cosigned the checkpoint up to entry ${cosignature.size - 1}.`,
  );
}

function stepsOf({ filing, proof }: ReceiptPageFacts): readonly Text[] {
  const { id, receipt } = filing;
  const { iss } = receipt.statement;
  const steps = [
    t(
      `取回执原文：在本页的电子版中保存，或扫描二维码所示的地址取回；再取网关公钥 ${iss}/.well-known/jwks.json。`,
      `Get the receipt itself: save it from this page, or fetch it from the address in the QR code. Get the gateway's public keys: ${iss}/.well-known/jwks.json.`,
    ),
    t(
      `离线运行：shenbao verify receipt-${id}.json --jwks jwks.json --filing 申报原文；每一步都有文字说明。`,
      `Offline: shenbao verify receipt-${id}.json --jwks jwks.json --filing FILE; it explains each step.`,
    ),
    t(
      '核对：回执中的编号、摘要、叶子、收到时间应与二维码及本页所示一致。纸面本身不是证据，回执才是。',
      'Compare: id, digest, leaf and time in the receipt must be those of the QR code and of this sheet. The receipt is the evidence, not the paper.',
    ),
  ];
  if (proof === undefined) return steps;
  return [
    ...steps,
    t(
      `送达：shenbao verify receipt-${id}.json proof-${id}.txt --jwks jwks.json --keys office-key.json。送达证明含本份在机关日志中的路径，以及网关与机关双方签名的检查点。密钥应向机关本身核实：上面的编号是公钥的 RFC 7638 指纹。`,
      `Delivery: shenbao verify receipt-${id}.json proof-${id}.txt --jwks jwks.json --keys office-key.json. The proof of delivery holds this filing's path in the office's log and the checkpoint with both signatures. Have the office itself confirm the key: its number above is the RFC 7638 thumbprint of the public key.`,
    ),
  ];
}

interface EmbeddedFile {
  readonly id: string;
  readonly title: string;
  readonly save: string;
  readonly name: string;
  readonly mediaType: string;
  readonly text: string;
}

/** What a verifier needs, but for the gateway's public keys, which have to come from elsewhere. */
function filesOf({ filing, proof, cosigner }: ReceiptPageFacts, say: Say): readonly EmbeddedFile[] {
  const { id, receipt, delivery } = filing;
  const json = { mediaType: 'application/json' };
  const text = JSON.stringify(receipt);
  const file = { id: 'receipt', title: say('receipt'), save: say('save'), name: `receipt-${id}.json`, ...json, text };
  if (proof === undefined) return [file];
  const words = { title: say('proof'), save: say('saveProof') };
  const evidence = { id: 'proof', ...words, name: `proof-${id}.txt`, mediaType: 'text/plain', text: proof };
  if (cosigner === undefined) return [file, evidence];
  const x = cosigner.toString('base64url');
  const jwk = { kty: 'OKP', crv: 'Ed25519', x, kid: delivery?.cosignature?.kid, alg: 'EdDSA' };
  const keyWords = { title: say('officeKey'), save: say('saveKey'), name: 'office-key.json' };
  return [file, evidence, { id: 'key', ...keyWords, ...json, text: JSON.stringify(jwk) }];
}

/** A file in the page: to look at, and to save just as it is. */
function embedded({ id, title, save, name, mediaType, text }: EmbeddedFile) {
  const address = `data:${mediaType};base64,${Buffer.from(text).toString('base64')}`;
  return html`<details><summary>${title}</summary><p><a href="${address}" download="${name}">${save}</a></p><pre id="${id}">${text}</pre></details>`;
}

/** Asia/Shanghai, to the second. */
function beijingTime(instant: string): string {
  const epochMs = parseInstant(instant);
  return epochMs === undefined
    ? instant
    : formatInstant(epochMs + 8 * 3_600_000)
        .slice(0, 19)
        .replace('T', ' ');
}
