import { parseTreeHead } from '../log/checkpoint.ts';
import { leafHash } from '../log/merkle.ts';
import { sha256 } from '../std/bytes.ts';
import { formatInstant, parseInstant } from '../std/clock.ts';
import { copyNational, NATIONAL } from '../storage/audit-copies.ts';
import { readAllRecoveries, readNationalFacts } from '../storage/audit-logs.ts';
import type { CopyRow } from '../storage/copy-binary.ts';
import { NATIONAL_KEY } from '../storage/national.ts';
import { finding, type Report } from './findings.ts';
import { LogTreeAudit, type LogTreeContext } from './log-tree.ts';
import { LowerTree } from './range.ts';

const RANGE = 65_536;
const LISTED = 100;

export interface NationalContext extends LogTreeContext {
  readonly onRows: (rows: number) => void;
}

/**
 * The national log: its leaves from their texts, its tree, tiles and checkpoints, and what its entries say of the audit
 * trail and of recoveries. What they say of the offices is compared where the offices' trees are computed.
 */
export async function auditNational(ctx: NationalContext): Promise<void> {
  const { count, last } = await readNationalFacts(ctx.tx);
  // A damaged index may be anywhere: more than this lie outside.
  const end = Math.min(last + 1, count + LISTED);
  const tree = new LogTreeAudit(ctx, NATIONAL_KEY);
  const recoveries = await recoveryTexts(ctx);
  await tree.begin(end);
  for (let from = 0; from < end; from += RANGE) {
    const to = Math.min(from + RANGE, end);
    const lower = new LowerTree({ from, to, sizes: await tree.sizes(from, to) });
    let next = from;
    await copyNational(ctx.tx, from, to, (source) => {
      const index = source.int64(NATIONAL.idx);
      if (index > next) say(ctx.report, next, '该编号没有条目', 'there is no entry of this index');
      for (; next < index; next++) lower.pushMissing();
      const { leaf, isDoubtful } = checkEntry(ctx.report, source, index, recoveries);
      lower.push(leaf, isDoubtful);
      next = index + 1;
      ctx.onRows(1);
    });
    if (next < to) say(ctx.report, next, '该编号没有条目', 'there is no entry of this index');
    for (; next < to; next++) lower.pushMissing();
    await tree.accept(from, to, lower.result());
  }
  await tree.finish(end);
  if (last >= end) say(ctx.report, last, '条目的编号超出范围', 'an entry has an index beyond the others');
  for (const row of recoveries.values())
    ctx.report(finding('recovery', { row }, '全国日志中没有这次恢复', 'the national log does not tell of it'));
}

interface CheckedEntry {
  readonly leaf: Buffer;
  /** Text and leaf differ, so that one of them is damaged: which, only the tree can tell. */
  readonly isDoubtful: boolean;
}

function checkEntry(report: Report, source: CopyRow, index: number, recoveries: Map<string, string>): CheckedEntry {
  const leaf = Buffer.from(leafHash(sha256, source.bytes(NATIONAL.text)));
  const isWhole = leaf.equals(source.bytes(NATIONAL.leaf));
  if (!isWhole) say(report, index, '叶不是文本的哈希', 'the leaf is not the hash of its text');
  const text = source.string(NATIONAL.text, 'utf8');
  const kind = source.string(NATIONAL.kind, 'utf8');
  const office = source.string(NATIONAL.office, 'utf8');
  if (kind === 'recovery') {
    if (!recoveries.delete(withoutHost(text)))
      say(report, index, '没有这次恢复的记录', 'there is no record of this recovery');
    else if (!isOriginOf(text.slice(0, text.indexOf('\n')), office))
      say(report, index, '恢复的机关不是本行的', 'it is the recovery of another office than its row names');
  } else if (kind === 'trail') checkTrailEntry(report, source, index, text, office);
  else if (kind === 'office') {
    const head = parseTreeHead(text);
    if (head === undefined || !isOriginOf(head.origin, office) || office === '')
      say(report, index, '不是本行机关的检查点', 'it is no checkpoint of the office that its row names');
  } else say(report, index, '条目的种类不存在', 'there is no such kind of entry');
  return { leaf, isDoubtful: !isWhole };
}

function checkTrailEntry(report: Report, source: CopyRow, index: number, text: string, office: string): void {
  const [origin = '', n = '', hash = '', ...rest] = text.split('\n');
  const isFormed = origin.endsWith('/trail') && /^[1-9]\d*$/.test(n) && rest.join('') === '' && office === '';
  if (!isFormed) say(report, index, '不是审计记录的末端', 'it is no end of the audit trail');
  else if (source.string(NATIONAL.trail, 'base64') !== hash)
    report(
      finding(
        'trail',
        { row: `trail ${n}` },
        `与全国日志第 ${index} 条所公布的哈希不符`,
        `its hash is not the one that entry ${index} of the national log has published`,
      ),
    );
}

/** The rows of all recoveries by what the national log says of them, without the host. */
async function recoveryTexts(ctx: NationalContext): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const row of await readAllRecoveries(ctx.tx)) {
    const lines = [
      row.office,
      'recovered',
      `${row.kept_size} ${row.kept_root.toString('base64')}`,
      `${row.lost_size} ${row.lost_root.toString('base64')}`,
      formatInstant(parseInstant(row.at) ?? 0),
    ];
    texts.set(lines.map((line) => `${line}\n`).join(''), `recovery ${row.office === '' ? 'national' : row.office}`);
  }
  return texts;
}

/** The text with the office's code in place of the log's origin: the gateway may have changed its name since. */
function withoutHost(text: string): string {
  const origin = text.slice(0, text.indexOf('\n'));
  const office = /\/offices\/([A-Za-z0-9-]+)$/.exec(origin)?.[1] ?? '';
  return office + text.slice(origin.length);
}

function isOriginOf(origin: string, office: string): boolean {
  return origin.endsWith(office === '' ? '/national' : `/offices/${office}`);
}

function say(report: Report, index: number, zh: string, en: string): void {
  report(finding('national', { row: `national_entry ${index}` }, zh, en));
}
