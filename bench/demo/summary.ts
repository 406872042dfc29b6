import { type Paint, padEnd, table, width } from '../../src/cli/text.ts';
import type { Text } from '../../src/std/text.ts';
import { REASONS, type Reason } from './plan.ts';
import type { OfficeReport, ReceiptsReport } from './proof.ts';
import type { Outcome } from './submit.ts';
import type { DemoWorld } from './world.ts';

/** Everything that one run of the demo came to. */
export interface DemoResult {
  readonly world: DemoWorld;
  readonly outcomes: readonly Outcome[];
  readonly offices: readonly OfficeReport[];
  readonly receipts: ReceiptsReport;
  /** Ids of filings whose replay brought another receipt. */
  readonly differing: readonly string[];
  /** Accepted filings that no office has. */
  readonly missing: readonly string[];
  readonly seconds: number;
}

const TYPES: Readonly<Record<string, Text>> = {
  'tax.vat.general': { zh: '增值税申报', en: 'VAT return' },
  'si.contribution': { zh: '社保费申报', en: 'social insurance' },
  'amr.recall': { zh: '产品召回', en: 'product recall' },
  'psb.lodging': { zh: '住宿登记', en: 'hotel guests' },
};

const CHANNELS = {
  single: { zh: '逐份', en: 'one by one' },
  'form-a': { zh: '批量甲：逐份签名', en: 'bulk form A' },
  'form-b': { zh: '批量乙：一次签名', en: 'bulk form B' },
} as const;

export function isAllWell(result: DemoResult): boolean {
  return faultsOf(result).length === 0;
}

function faultsOf({ outcomes, offices, receipts, differing, missing }: DemoResult): string[] {
  const unexpected = outcomes.filter(({ job, result }) => job.expected !== result);
  return [
    ...unexpected
      .slice(0, 10)
      .map(
        ({ job, result, findings }) =>
          `${job.reason} ${job.payload.type}: ${result} (${findings.join(' ')}), not ${job.expected}`,
      ),
    ...(unexpected.length > 10 ? [`and ${unexpected.length - 10} more`] : []),
    ...offices.flatMap(({ office, fault }) => (fault === undefined ? [] : [`${office.code} ${fault}`])),
    ...receipts.faults.slice(0, 10).map((fault) => `receipt ${fault}`),
    ...differing.slice(0, 10).map((id) => `replay of ${id}: another receipt`),
    ...missing.slice(0, 10).map((id) => `${id}: in no office's log`),
  ];
}

export function summaryLines(result: DemoResult, paint: Paint): string[] {
  return [
    ...heading({ zh: '申报', en: 'Filings by type' }, paint),
    ...typeTable(result, paint),
    ...heading({ zh: '经过', en: 'What happened' }, paint),
    ...reasonTable(result, paint),
    ...heading({ zh: '退回原因', en: 'Refusals by code' }, paint),
    ...refusalTable(result),
    ...heading({ zh: '各机关取件', en: 'Pulled as each office' }, paint),
    ...officeTable(result, paint),
    '',
    ...endLines(result, paint),
  ];
}

function heading({ zh, en }: Text, paint: Paint): string[] {
  const text = `${zh}  ${en}`;
  return ['', paint('bold', text), paint('dim', '─'.repeat(Math.max(width(text), 60)))];
}

function typeTable({ outcomes, world }: DemoResult, paint: Paint): string[] {
  const accepted = outcomes.flatMap((outcome) => outcome.accepted ?? []);
  const rows = Object.entries(TYPES).map(([type, { zh, en }]) => {
    const ofType = accepted.filter(({ filing }) => filing.type === type);
    const by = (channel: keyof typeof CHANNELS): number => ofType.filter(({ job }) => job.channel === channel).length;
    const late = ofType.filter(({ filing }) => filing.late).length;
    const warned = ofType.filter(({ filing }) => filing.warnings.length > 0).length;
    return [zh, en, type, ofType.length, by('single'), by('form-a'), by('form-b'), late, warned];
  });
  const sums = [3, 4, 5, 6, 7, 8].map((column) => rows.reduce((sum, row) => sum + Number(row[column]), 0));
  const names = [
    '',
    '',
    '',
    '受理 accepted',
    '逐份 single',
    '批量甲 bulk A',
    '批量乙 bulk B',
    '逾期 late',
    '提示 warned',
  ];
  const { month, today } = world;
  return [
    ...numbered(names, [...rows, ['合计', 'total', '', ...sums]], 3),
    paint('dim', `所属期 ${month.from} 至 ${month.to}，今日 ${today}；the month filed for, and today`),
  ];
}

/** Numbers to the right of their columns, from column `from` on. */
function numbered(names: readonly string[], rows: readonly (readonly (string | number)[])[], from: number): string[] {
  const texts = [names, ...rows].map((row) => row.map(String));
  const widths = names.map((_, i) => Math.max(...texts.map((row) => width(row[i] ?? ''))));
  return texts.map((row) =>
    row
      .map((cell, i) => (i < from ? padEnd(cell, widths[i] ?? 0) : ' '.repeat((widths[i] ?? 0) - width(cell)) + cell))
      .join('  ')
      .trimEnd(),
  );
}

function reasonTable({ outcomes }: DemoResult, paint: Paint): string[] {
  const rows = (Object.keys(REASONS) as Reason[]).flatMap((reason) => {
    const all = outcomes.filter(({ job }) => job.reason === reason);
    if (all.length === 0) return [];
    const { zh, en } = REASONS[reason];
    const results = [...count(all.map(({ result }) => result))].map(([name, times]) => `${times} × ${name}`);
    const isExpected = all.every(({ job, result }) => job.expected === result);
    return [[isExpected ? paint('green', '✓') : paint('red', '✗'), zh, en, results.join(', ')]];
  });
  // The marks are coloured, so they are not measured with the columns.
  const body = table(rows.map((row) => row.slice(1)));
  return rows.map((row, i) => `${row[0]} ${body[i]}`);
}

function refusalTable({ outcomes }: DemoResult): string[] {
  const refused = outcomes.filter(({ result }) => result !== 'accepted' && result !== 'replayed');
  if (refused.length === 0) return ['（无）none'];
  const rows = [...count(refused.map(({ result }) => result))].map(([code, times]) => {
    const findings = count(refused.filter(({ result }) => result === code).flatMap((outcome) => outcome.findings));
    const rules = [...findings].map(([name, hits]) => `${name} ×${hits}`).join(', ');
    return [String(times).padStart(5), code, rules];
  });
  return table(rows).map((row) => row.trimEnd());
}

function officeTable({ offices }: DemoResult, paint: Paint): string[] {
  const names = ['', '', '', '本次 this run', '全部 entries', '批次 batches', '根 root'];
  const rows = offices.map(({ office, entries, ours, batches, root, fault }) => [
    office.code,
    office.name.zh,
    office.name.en,
    ours,
    entries,
    batches,
    fault ?? `${(root ?? '').slice(0, 12) || '—'}… ✓`,
  ]);
  const lines = numbered(names, rows, 3);
  return lines.map((line, i) => (offices[i - 1]?.fault === undefined ? line : paint('red', line)));
}

function endLines(result: DemoResult, paint: Paint): string[] {
  const { outcomes, receipts, offices, seconds, world } = result;
  const accepted = outcomes.filter((outcome) => outcome.accepted !== undefined).length;
  const replayed = outcomes.filter((outcome) => outcome.replayed !== undefined).length;
  const facts = [
    ['企业', 'enterprises', world.enterprises.length],
    ['提交', 'submissions', outcomes.length],
    ['受理', 'stored once and for good', accepted],
    ['重发得回原回执', 'replays with the original receipt', replayed],
    ['退回', 'refused', outcomes.length - accepted - replayed],
    ['离线验证的回执', 'receipts verified offline', receipts.verified],
    ['机关', 'offices that pulled', offices.length],
    ['用时（秒）', 'seconds', seconds.toFixed(1)],
  ] as const;
  const faults = faultsOf(result);
  return [
    ...table(facts.map(([zh, en, value]) => [String(value).padStart(7), zh, en])),
    '',
    ...faults.map((fault) => paint('red', `✗ ${fault}`)),
    faults.length === 0
      ? paint('green', '所有机关的根一致，所有回执验证无误：every root equal, every receipt verified')
      : paint('red', '与预期不符：not everything came out as it must'),
  ];
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map([...counts].sort(([, a], [, b]) => b - a));
}
