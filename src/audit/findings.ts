import type { Text } from '../std/text.ts';

/** What each kind of finding means. The first sentence of `what` is the finding's own; this says what follows from it. */
const MEANINGS = {
  missing: text(
    '日志中缺少这些申报：曾出具的回执在库中已无对应记录。',
    'Filings are missing from the log: receipts were given for what the database no longer has.',
  ),
  'head-size': text(
    '机关日志的份数与实际记录不符：下一份申报会得到错误的编号。',
    'The head of the office’s log does not say how many filings there are: the next one would get a wrong index.',
  ),
  'head-time': text(
    '日志头的时间不是最后一份申报的时间：之后的受理时间可能倒退。',
    'The head’s time is not that of the last filing: later times of receipt could run backwards.',
  ),
  office: text(
    '机关与其日志不相符，其申报可能找不到。',
    'An office and its log do not fit each other: its filings may not be found.',
  ),
  stray: text(
    '记录不属于任何机关日志的范围：它从未被编入，或被移动过。',
    'A row stands outside every office’s log: it was never entered, or it was moved.',
  ),
  order: text('受理时间在同一机关内倒退。', 'The time of receipt runs backwards within an office.'),
  content: text(
    '所存内容不是已受理时的形式，无法读出申报内容。',
    'What is stored is not in the form in which filings are accepted, so what was filed cannot be read.',
  ),
  digest: text('内容与摘要不符：内容或摘要被改动过。', 'Content and digest do not fit: one of the two was altered.'),
  leaf: text(
    '由内容、盐和时间重新计算的叶与所存的不同：其中之一被改动过。',
    'The leaf computed from content, salt and time is not the one that is stored: one of them was altered.',
  ),
  key: text(
    '申报键不是由内容得出的：重复提交会被当作新申报。',
    'The filing key is not that of the content: the same filing sent again would be taken for a new one.',
  ),
  'duplicate-key': text(
    '同一份申报有两条记录：只能有一条成立。',
    'The same filing stands twice, where it may stand once.',
  ),
  column: text(
    '记录的列与申报人签署的内容不一致：查询会得出错误的答案。',
    'A column of the row does not say what the filer signed: queries answer wrongly.',
  ),
  kid: text('记录的密钥编号不是签名所用的密钥。', 'The row names another key than the one that signed.'),
  tick: text(
    '回执所依据的签名记录不存在：回执无法再出具。',
    'The signed tick of the filing’s receipt is not there: the receipt cannot be given again.',
  ),
  'tick-leaf': text(
    '回执内容不在其签名所覆盖的位置：已出具的回执与现有记录不符。',
    'What the receipt states is not where its signed tick has it: the receipt that was given and the row differ.',
  ),
  'tick-root': text(
    '签名批次的叶与所签的根不符：其中的回执无法验证。',
    'The leaves of a tick do not have the root that was signed: its receipts do not verify.',
  ),
  'tick-signature': text(
    '签名批次的签名不成立。',
    'The signature of a tick does not hold: its receipts do not verify.',
  ),
  'tick-count': text(
    '签名批次中有叶没有对应的申报：出具过回执的申报已不在库中。',
    'A tick has leaves without filings: a receipt was given for a filing that is no longer there.',
  ),
  manifest: text(
    '批量上传的清单不存在或与该行不符：无法证明申报人签署过它。',
    'The manifest of a bulk upload is missing or does not cover the line: it cannot be shown that the filer signed it.',
  ),
  'manifest-root': text(
    '批量清单与所签的根、行数不符。',
    'The leaves of a bulk upload’s manifest do not have the root and count that the filer signed.',
  ),
  chain: text(
    '更正链不成立：被取代的申报不存在，或不是同一申报人、类型、所属期。',
    'A chain of corrections is broken: what is superseded is not there, or is of another filer, type or period.',
  ),
  signature: text('申报人的签名不成立。', 'The filer’s signature does not hold.'),
  'signing-key': text(
    '签名所用的密钥未登记，或在受理时不在有效期内。',
    'The signing key is not registered, or was not in force when the filing was received.',
  ),
  tile: text(
    '树的图块与叶不符：由它得出的证明不会成立。',
    'A tile of the tree is not what the leaves make: proofs made from it do not verify.',
  ),
  tree: text('树的进度与检查点不符。', 'How far the tree is said to be computed does not fit its checkpoints.'),
  checkpoint: text(
    '曾签署的检查点与日志不符：日志被改写过，或检查点的记录被改动过。',
    'A checkpoint that was signed is not one of this log: the log was rewritten, or the record of the checkpoint altered.',
  ),
  'checkpoint-note': text(
    '检查点的签名或内容不成立。',
    'The note of a checkpoint is not signed by the gateway, or does not say what its row says.',
  ),
  'checkpoint-unchecked': text(
    '因缺少或损坏申报，这些检查点无法重新计算。',
    'These checkpoints cannot be computed again, because filings below them are missing or damaged.',
  ),
  recovery: text(
    '恢复记录与日志、检查点或全国日志不符。',
    'A recovery does not fit the log, its checkpoints or the national log.',
  ),
  cosignature: text('机关的联署不成立。', 'An office’s cosignature does not hold.'),
  national: text(
    '全国日志的条目不成立，或与机关日志不符。',
    'An entry of the national log is not what it commits to, or does not fit the log that it is about.',
  ),
  trail: text(
    '审计记录的链断裂：有记录被更改、删除或插入。',
    'The chain of the audit trail is broken: rows were altered, removed or put in.',
  ),
  mandate: text(
    '委托与申报人签署的内容不符，或其签名不成立。',
    'A mandate does not say what the filer signed, or the signature does not hold.',
  ),
  'gateway-key': text(
    '网关公钥与其编号不符：用它验证的签名都不可信。',
    'A public key of the gateway is not the one that its id names: nothing can be verified with it.',
  ),
  'party-key': text(
    '登记的公钥与其编号不符：用它验证的签名都不可信。',
    'A registered key is not the one that its id names: nothing can be verified with it.',
  ),
} satisfies Readonly<Record<string, Text>>;

function text(zh: string, en: string): Text {
  return { zh, en };
}

export type FindingKind = keyof typeof MEANINGS;

export const FINDING_KINDS = Object.keys(MEANINGS) as readonly FindingKind[];

/** A warning says that something could not be checked; an error that it is wrong. */
export type Severity = 'error' | 'warning';

export interface Finding {
  readonly kind: FindingKind;
  readonly severity: Severity;
  readonly office?: string;
  /** The filing's. */
  readonly id?: string;
  /** Which row it is about, where it is not a filing: `tick 3/<id>`, `checkpoint 13501000000@300`, `trail 17`. */
  readonly row?: string;
  /** What is wrong here. Names columns and places, never values of them. */
  readonly what: Text;
  readonly means: Text;
}

export interface FindingPlace {
  readonly office?: string;
  readonly id?: string;
  readonly row?: string;
}

export function finding(kind: FindingKind, place: FindingPlace, zh: string, en: string): Finding {
  const severity = kind === 'checkpoint-unchecked' ? 'warning' : 'error';
  return { kind, severity, ...place, what: { zh, en }, means: MEANINGS[kind] };
}

export type Report = (found: Finding) => void;
