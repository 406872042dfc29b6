import type { Filing } from '../../client/client.ts';
import type { Command } from '../command.ts';
import { connect, requireKey } from '../context.ts';
import { EXIT } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { plain, table } from '../text.ts';

export const status: Command = {
  name: 'status',
  args: '<id>',
  summary: { zh: '查询一份申报的状态', en: 'a filing’s status and history' },
  options: [],
  async run(ctx, [id = '']) {
    await requireKey(ctx);
    const filing = await (await connect(ctx)).filing(id, { signal: ctx.signal });
    ctx.terminal.result(filing, () => filingLines(ctx.terminal, filing));
    return EXIT.done;
  },
};

function deliveryWords(terminal: Terminal, { delivery }: Filing): string {
  if (delivery === undefined) return terminal.say({ zh: '机关尚未确认收到', en: 'not acknowledged by the office yet' });
  const at = plain(delivery.at);
  if (delivery.cosignature === undefined)
    return terminal.say({ zh: `${at} 机关已确认收到`, en: `${at}, acknowledged by the office` });
  const kid = plain(delivery.cosignature.kid);
  return terminal.say({
    zh: `${at} 机关已确认收到并会签（密钥 ${kid}）`,
    en: `${at}, acknowledged and cosigned by the office (key ${kid})`,
  });
}

function filingLines(terminal: Terminal, filing: Filing): string[] {
  const yesNo = filing.late ? { zh: '是', en: 'yes' } : { zh: '否', en: 'no' };
  const rows: [string, string][] = [
    [terminal.say({ zh: '编号', en: 'id' }), terminal.paint('bold', plain(filing.id))],
    [terminal.say({ zh: '状态', en: 'status' }), plain(filing.status)],
    [terminal.say({ zh: '类型', en: 'type' }), `${plain(filing.type)} ${plain(filing.version)}`],
    [terminal.say({ zh: '申报人', en: 'filer' }), plain(filing.filer)],
    [terminal.say({ zh: '所属期', en: 'period' }), `${filing.period.from} – ${filing.period.to}`],
    [terminal.say({ zh: '收到时间', en: 'received' }), filing.receivedAt],
    [terminal.say({ zh: '逾期', en: 'late' }), terminal.say(yesNo)],
    [terminal.say({ zh: '送达', en: 'delivered' }), deliveryWords(terminal, filing)],
    [terminal.say({ zh: '摘要', en: 'digest' }), filing.digest],
  ];
  if (filing.reference !== undefined)
    rows.splice(5, 0, [terminal.say({ zh: '单据号', en: 'reference' }), plain(filing.reference)]);
  if (filing.supersedes !== undefined)
    rows.splice(2, 0, [terminal.say({ zh: '更正', en: 'supersedes' }), plain(filing.supersedes)]);
  const history = (filing.history ?? []).map((step): [string, string] => [
    step.at,
    [step.status, step.by]
      .filter((part) => part !== undefined)
      .map(plain)
      .join(' '),
  ]);
  return [
    ...table(rows),
    ...(history.length > 0 ? ['', ...table(history)] : []),
    ...terminal.violationLines(filing.warnings),
  ];
}
