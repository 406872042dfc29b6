import type { Obligation, Obligations } from '../../client/client.ts';
import type { Text } from '../../std/text.ts';
import { type Command, textOption } from '../command.ts';
import { connect, requireKey } from '../context.ts';
import { EXIT } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { plain, table } from '../text.ts';

export const FILER_OPTION = {
  flags: '--filer <uscc>',
  text: { zh: '申报人（默认为密钥所属方）', en: 'the filer; by default the party of the key' },
};

export const obligations: Command = {
  name: 'obligations',
  args: '',
  summary: { zh: '应申报清单：期限、状态和漏报检查', en: 'what a filer owes: due dates, states, what is missing' },
  details: {
    zh: '默认列出上月至下月到期的申报。滞纳金为缴款前的估算。',
    en: 'By default what is due from last month to next month. Surcharges are estimates before payment.',
  },
  options: [
    FILER_OPTION,
    { flags: '--from <date>', text: { zh: '最早的到期日', en: 'first due date' } },
    { flags: '--to <date>', text: { zh: '最晚的到期日', en: 'last due date' } },
  ],
  async run(ctx, _, options) {
    await requireKey(ctx);
    const [filer, from, to] = ['filer', 'from', 'to'].map((name) => textOption(options, name));
    const query = {
      ...(filer === undefined ? {} : { filer }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    };
    const owed = await (await connect(ctx)).obligations(query, { signal: ctx.signal });
    ctx.terminal.result(owed, () => obligationLines(ctx.terminal, owed));
    return EXIT.done;
  },
};

const STATES: Readonly<Record<Obligation['state'], Text>> = {
  open: { zh: '未申报', en: 'open' },
  filed: { zh: '已申报', en: 'filed' },
  overdue: { zh: '已逾期', en: 'overdue' },
};
const COLOURS = { open: 'yellow', filed: 'green', overdue: 'red' } as const;

function obligationLines(terminal: Terminal, { from, to, items, missing }: Obligations): string[] {
  if (items.length === 0)
    return [terminal.say({ zh: `${from} 至 ${to} 没有到期的申报`, en: `nothing is due from ${from} to ${to}` })];
  const headings: Text[] = [
    { zh: '到期日', en: 'due' },
    { zh: '状态', en: 'state' },
    { zh: '类型', en: 'type' },
    { zh: '所属期', en: 'period' },
    { zh: '说明', en: 'remarks' },
  ];
  const rows = items.map((item) => [
    item.estimated ? `${item.due}*` : item.due,
    terminal.paint(COLOURS[item.state], terminal.say(STATES[item.state])),
    plain(item.type),
    `${item.period.from} – ${item.period.to}`,
    remarks(terminal, item),
  ]);
  const stars = items.some(({ estimated }) => estimated)
    ? [
        terminal.say({
          zh: '* 该年放假安排尚未公布，日期为推算',
          en: '* computed without the year’s holiday arrangement, which is not out yet',
        }),
      ]
    : [];
  return [
    ...table([headings.map((heading) => terminal.paint('bold', terminal.say(heading))), ...rows]),
    ...stars,
    '',
    missing.length === 0
      ? terminal.paint('green', terminal.say({ zh: '本月没有漏报', en: 'nothing is missing this month' }))
      : terminal.paint(
          'red',
          terminal.say({
            zh: `本月尚缺 ${missing.length} 份申报`,
            en: `${missing.length} filings are missing this month`,
          }),
        ),
  ];
}

function remarks(terminal: Terminal, item: Obligation): string {
  const { lateDays, filing, amountDue, surchargeEstimate, required } = item;
  const parts: (Text | undefined)[] = [
    filing === undefined ? undefined : { zh: plain(filing), en: plain(filing) },
    lateDays === undefined ? undefined : { zh: `逾期${lateDays}天`, en: `${lateDays} days late` },
    amountDue === undefined ? undefined : { zh: `应缴${yuan(amountDue)}元`, en: `CNY ${yuan(amountDue)} payable` },
    surchargeEstimate === undefined || surchargeEstimate === 0
      ? undefined
      : { zh: `滞纳金约${yuan(surchargeEstimate)}元`, en: `surcharge about CNY ${yuan(surchargeEstimate)}` },
    required ? undefined : { zh: '有则申报', en: 'only if there is something' },
  ];
  return parts
    .filter((part) => part !== undefined)
    .map((part) => terminal.say(part))
    .join(terminal.say({ zh: '，', en: ', ' }));
}

function yuan(fen: number): string {
  return `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, '0')}`;
}
