import { readDuplicates, readForks, readHeadless, readUnevenTicks } from '../storage/audit.ts';
import { readForeignLogs } from '../storage/audit-logs.ts';
import type { TransactionSql } from '../storage/db.ts';
import { finding, type Report } from './findings.ts';

/** More of one kind say nothing new. */
const LISTED = 1_000;

export interface WholeContext {
  readonly tx: TransactionSql;
  readonly report: Report;
  /** As many leaves of ticks as filings, and every filing at its own: then no tick has any other leaf. */
  readonly isEven: boolean;
}

/** What only all rows together show. */
export async function auditWhole(ctx: WholeContext): Promise<void> {
  const { tx, report } = ctx;
  for (const ids of await readDuplicates(tx, LISTED)) {
    const [first = '', ...others] = ids;
    const [zh, en] = [`与 ${others.join('、')} 的申报键相同`, `it has the filing key of ${others.join(', ')} too`];
    report(finding('duplicate-key', placeOf(first), zh, en));
  }
  for (const { id, by } of await readForks(tx, LISTED))
    report(
      finding(
        'chain',
        placeOf(id),
        `被 ${by.join('、')} 分别取代`,
        `it is superseded more than once: by ${by.join(', ')}`,
      ),
    );
  for (const { office } of await readHeadless(tx))
    report(finding('office', { office, row: `office ${office}` }, '机关没有日志头', 'the office has no head of a log'));
  for (const { name, lane, office, count } of await readForeignLogs(tx))
    report(
      finding(
        'stray',
        { row: `${name} ${lane}/${office}` },
        `${count} 行不属于任何机关的日志`,
        `${count} rows are of no office’s log`,
      ),
    );
  if (!ctx.isEven) await reportUneven(ctx);
}

async function reportUneven({ tx, report }: WholeContext): Promise<void> {
  for (const { lane, id, leaves, filings } of await readUnevenTicks(tx, LISTED))
    report(
      finding(
        'tick-count',
        { row: `tick ${lane}/${id}` },
        `有 ${leaves} 个叶，而库中只有 ${filings} 份申报`,
        `it has ${leaves} leaves, and there are ${filings} filings of it`,
      ),
    );
}

function placeOf(id: string): { office: string; id: string } {
  return { office: id.slice(0, id.lastIndexOf('.')), id };
}
