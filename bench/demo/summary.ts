import { type Paint, padEnd, table, width } from '../../src/cli/text.ts';
import type { Text } from '../../src/std/text.ts';
import type { ComparisonReport } from './compared.ts';
import { REASONS, type Reason } from './plan.ts';
import type { OfficeReport, ReceiptsReport } from './proof.ts';
import type { DemoType } from './samples.ts';
import type { Accepted, Outcome } from './submit.ts';
import type { DemoWorld } from './world.ts';

/** Everything that one run of the demo came to. */
export interface DemoResult {
  readonly world: DemoWorld;
  readonly types: readonly DemoType['metadata'][];
  readonly outcomes: readonly Outcome[];
  readonly offices: readonly OfficeReport[];
  readonly receipts: ReceiptsReport;
  /** Ids of filings whose replay brought another receipt. */
  readonly differing: readonly string[];
  /** Accepted filings that no office has. */
  readonly missing: readonly string[];
  readonly comparisons: ComparisonReport;
  readonly seconds: number;
}

export function isAllWell(result: DemoResult): boolean {
  return faultsOf(result).length === 0;
}

function faultsOf({ types, outcomes, offices, receipts, differing, missing, comparisons }: DemoResult): string[] {
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
    ...types.flatMap(({ type }) => (acceptedOf(outcomes, type).length > 0 ? [] : [`${type}: nothing was accepted`])),
    ...comparisons.faults.slice(0, 10),
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
    ...heading({ zh: '受理后的比对', en: 'Compared after acceptance' }, paint),
    ...comparisonLines(result),
    '',
    ...endLines(result, paint),
  ];
}

function heading({ zh, en }: Text, paint: Paint): string[] {
  const text = `${zh}  ${en}`;
  return ['', paint('bold', text), paint('dim', '─'.repeat(Math.max(width(text), 60)))];
}

/** The columns of the table of types, under a Chinese and an English line. */
const TYPE_COLUMNS: readonly {
  readonly zh: string;
  readonly en: string;
  readonly counts: (one: Accepted) => boolean;
}[] = [
  { zh: '受理', en: 'accepted', counts: () => true },
  { zh: '逐份', en: 'single', counts: ({ job }) => job.channel === 'single' },
  { zh: '批量甲', en: 'bulk A', counts: ({ job }) => job.channel === 'form-a' },
  { zh: '批量乙', en: 'bulk B', counts: ({ job }) => job.channel === 'form-b' },
  { zh: '逾期', en: 'late', counts: ({ filing }) => filing.late },
  { zh: '提示', en: 'warned', counts: ({ filing }) => filing.warnings.length > 0 },
];

function acceptedOf(outcomes: readonly Outcome[], type: string): Accepted[] {
  return outcomes.flatMap(({ accepted }) => (accepted?.filing.type === type ? [accepted] : []));
}

function typeTable({ outcomes, types, world }: DemoResult, paint: Paint): string[] {
  const rows = types.map(({ type, title }) => {
    const ofType = acceptedOf(outcomes, type);
    return [type, title.zh, ...TYPE_COLUMNS.map(({ counts }) => ofType.filter(counts).length)];
  });
  const sums = TYPE_COLUMNS.map((_, i) => rows.reduce((sum, row) => sum + Number(row[i + 2]), 0));
  const zh = ['', '', ...TYPE_COLUMNS.map((column) => column.zh)];
  const en = ['', '', ...TYPE_COLUMNS.map((column) => column.en)];
  const { month, today } = world;
  return [
    ...numbered([zh, en, ...rows, ['total', '合计', ...sums]], 2),
    paint('dim', `批量甲：逐份签名 A: each one signed；批量乙：整批一次签名 B: one signature for all`),
    paint('dim', `所属期 ${month.from} 至 ${month.to}，今日 ${today}；the month filed for, and today`),
  ];
}

/** Numbers to the right of their columns, from column `from` on. */
function numbered(rows: readonly (readonly (string | number)[])[], from: number): string[] {
  const texts = rows.map((row) => row.map(String));
  const widths = (texts[0] ?? []).map((_, i) => Math.max(...texts.map((row) => width(row[i] ?? ''))));
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
    return [String(times).padStart(7), code, rules];
  });
  return table(rows).map((row) => row.trimEnd());
}

function officeTable({ offices }: DemoResult, paint: Paint): string[] {
  const zh = ['', '', '', '本次', '全部', '批次', '根'];
  const en = ['', '', '', 'this run', 'entries', 'batches', 'root'];
  const rows = offices.map(({ office, entries, ours, batches, root, fault }) => [
    office.code,
    // All of them are.
    office.name.zh.replace('（演示）', ''),
    office.name.en.replace(' (demo)', ''),
    ours,
    entries,
    batches,
    fault ?? `${(root ?? '').slice(0, 12) || '—'}… ✓`,
  ]);
  const lines = numbered([zh, en, ...rows], 3);
  return lines.map((line, i) => (offices[i - 2]?.fault === undefined ? line : paint('red', line)));
}

function comparisonLines({ comparisons: { compared, findings } }: DemoResult): string[] {
  const total = [...findings.values()].reduce((sum, times) => sum + times, 0);
  const rules = [...findings].sort(([, a], [, b]) => b - a).map(([rule, times]) => `${rule} ×${times}`);
  return [
    ...table([
      [
        String(compared).padStart(7),
        '份样例已与同一企业的其他申报比对',
        'samples were compared with other filings of their enterprises',
      ],
      [String(total).padStart(7), '项发现，只提示，不退回', 'findings, which warn and refuse nothing'],
    ]),
    ...wrapped(rules, 100).map((line) => `         ${line}`),
  ];
}

/** Words in lines of at most so many columns. */
function wrapped(words: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line !== undefined && width(line) + width(word) + 2 <= columns) lines[lines.length - 1] = `${line}, ${word}`;
    else lines.push(word);
  }
  return lines;
}

function endLines(result: DemoResult, paint: Paint): string[] {
  const { outcomes, receipts, offices, seconds, world } = result;
  const accepted = outcomes.filter((outcome) => outcome.accepted !== undefined).length;
  const replayed = outcomes.filter((outcome) => outcome.replayed !== undefined).length;
  const facts = [
    ['企业', 'enterprises', world.enterprises.length + world.samplers.length],
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
