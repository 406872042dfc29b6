import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { StartError } from '../std/start-error.ts';
import type { Database } from '../storage/db.ts';
import { type HeldHead, type RecoveryRecord, readHeldHeads, readRecoveries } from '../storage/recovery.ts';
import { logKey } from './context.ts';
import { compactHeadsFile, type SignedHead } from './heads-file.ts';
import { type Log, NATIONAL_LOG, officeLog } from './logs.ts';
import { sameBytes } from './merkle.ts';
import { rootAt } from './tree.ts';

/** What the comparison of signed heads with a database works with. */
export interface RollbackContext {
  readonly db: Pick<Database, 'sql'>;
  readonly lanes: number;
}

/** That the database does not hold what was signed. */
export interface Loss {
  readonly office: string;
  readonly lost: SignedHead;
  /** Entries that the log has now; undefined when there is no such office. */
  readonly held: number | undefined;
  /**
   * `shorter`: entries are missing at the end. `other`: as many are there, and they are not those that were signed.
   */
  readonly kind: 'shorter' | 'other';
  /** How much of what was signed is there for certain, as far as the database can tell. */
  readonly kept: { readonly size: number; readonly root: Uint8Array };
}

export interface Comparison {
  readonly losses: readonly Loss[];
  /** What to go on with in place of the heads that were compared: one a log. */
  readonly heads: readonly SignedHead[];
}

/**
 * At the start, before anything is written: a StartError when the database does not hold what was signed. Leaves one line
 * a log in the file.
 */
export async function refuseOlderDatabase(ctx: RollbackContext, file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await compactHeadsFile(file, async (signed) => {
    const { losses, heads } = await compareHeads(ctx, signed);
    refuseLosses(losses, file);
    return heads;
  });
}

export function logOf(ctx: Pick<RollbackContext, 'lanes'>, office: string): Log {
  return office === '' ? NATIONAL_LOG : officeLog(ctx, office);
}

/**
 * Holds heads that were signed against what the database has. A head that is not there is no loss when a recovery tells
 * of it. For offices whose head is a stored checkpoint, which is nearly all, this takes one statement.
 */
export async function compareHeads(ctx: RollbackContext, signed: readonly SignedHead[]): Promise<Comparison> {
  const offices = signed.filter(({ office }) => office !== '');
  const held = await readHeldHeads(
    ctx.db.sql,
    offices.map(({ office, size }) => ({ ...logKey(ctx, office), size })),
  );
  const byHead = new Map(held.map((each) => [`${each.office} ${each.size}`, each]));
  const losses: Loss[] = [];
  const heads: SignedHead[] = [];
  for (const head of signed) {
    const found = byHead.get(`${head.office} ${head.size}`) ?? (await heldOf(ctx, head));
    const { present, recovery, loss } = await judge(ctx, head, found);
    if (present) heads.push(head);
    else if (recovery !== undefined) heads.push(keptHead(head, recovery));
    if (loss !== undefined) losses.push(loss);
  }
  return { losses, heads };
}

async function heldOf(ctx: RollbackContext, { office, size }: SignedHead): Promise<HeldHead> {
  const state = await logOf(ctx, office).readState(ctx.db.sql);
  return { office, size, held: state?.size, root: undefined };
}

function keptHead(head: SignedHead, { keptSize, keptRoot }: RecoveryRecord): SignedHead {
  return { ...head, size: keptSize, root: keptRoot };
}

interface Verdict {
  readonly present: boolean;
  /** That tells of what is missing. */
  readonly recovery?: RecoveryRecord;
  readonly loss?: Loss;
}

/** What was signed after a recovery, at sizes that had been lost before, is not what the recovery tells of. */
function tellsOf({ at, keptSize, lostSize, lostRoot }: RecoveryRecord, { size, root, signedAt }: SignedHead): boolean {
  const isBetween = keptSize < size && size <= lostSize;
  return isBetween && (signedAt <= at || (size === lostSize && sameBytes(root, lostRoot)));
}

async function judge(ctx: RollbackContext, head: SignedHead, { held = 0, root }: HeldHead): Promise<Verdict> {
  const log = logOf(ctx, head.office);
  const reaches = held >= head.size;
  if (reaches) {
    // Without a checkpoint of just that size the root is computed from the leaves.
    const own = root ?? (await rootAt(ctx.db.sql, log, head.size));
    if (sameBytes(own, head.root)) return { present: true };
  }
  const recoveries = await readRecoveries(ctx.db.sql, log.key);
  const recovery = recoveries.findLast((each) => tellsOf(each, head));
  if (recovery !== undefined) return { present: false, recovery };
  const size = reaches ? Math.max(0, ...recoveries.map(({ keptSize }) => Math.min(keptSize, head.size))) : held;
  const kept = { size, root: await rootAt(ctx.db.sql, log, size) };
  return {
    present: false,
    loss: { office: head.office, lost: head, held, kind: reaches ? 'other' : 'shorter', kept },
  };
}

function refuseLosses(losses: readonly Loss[], file: string): void {
  if (losses.length === 0) return;
  const shown = losses.slice(0, MAX_SHOWN);
  const more = losses.length - shown.length;
  const lines = (language: 'zh' | 'en'): string =>
    [...shown.map((loss) => lossLine(loss)[language]), ...(more > 0 ? [moreLine(more)[language]] : [])].join('\n');
  throw new StartError({
    zh: `数据库比已签名的日志旧，或者不是本数据目录所用的数据库，因此不予启动：\n${lines('zh')}\n已签名的日志头保存在 ${file}。请恢复更新的备份或改用正确的数据库；若确实只有这个数据库，请运行 shenbao recover：它列出缺少的内容，并在您确认后继续。`,
    en: `The database is older than what was signed, or is not the one of this data directory, so the gateway does not start:\n${lines('en')}\nThe signed heads are kept in ${file}. Restore a newer backup, or use the right database; if this one is all there is, run shenbao recover: it shows what is missing and goes on once you accept that.`,
  });
}

const MAX_SHOWN = 20;

function lossLine({ office, lost, held = 0, kind }: Loss): { zh: string; en: string } {
  const zh = office === '' ? '全国日志' : `机关 ${office}`;
  const en = office === '' ? 'the national log' : `office ${office}`;
  return kind === 'shorter'
    ? {
        zh: `  ${zh}：已签名 ${lost.size} 份，数据库只有 ${held} 份`,
        en: `  ${en}: ${lost.size} entries were signed, the database has ${held}`,
      }
    : {
        zh: `  ${zh}：已签名 ${lost.size} 份，数据库有 ${held} 份，但前 ${lost.size} 份的树根不同`,
        en: `  ${en}: ${lost.size} entries were signed, the database has ${held}, and the root of the first ${lost.size} is another`,
      };
}

function moreLine(more: number): { zh: string; en: string } {
  return { zh: `  另有 ${more} 个`, en: `  and ${more} more` };
}
