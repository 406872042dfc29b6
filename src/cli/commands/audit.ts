import { availableParallelism } from 'node:os';
import type { DatabaseAuditSummary, DatabaseFinding } from '../../maintenance.ts';
import type { Logger } from '../../std/telemetry.ts';
import { type Command, numberOption, type OptionValues, textOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { Progress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';
import { plain, table } from '../text.ts';

export const audit: Command = {
  name: 'audit',
  args: '',
  summary: {
    zh: '由数据库的各行重新计算一切，指出不符之处（运维方；只读，网关可同时运行）',
    en: 'recompute everything from the rows of the database and name what does not fit (operator; reads only, beside a running gateway too)',
  },
  details: {
    zh: '使用与网关相同的环境变量（DATA_DIR、DATABASE_URL……）。退出码：0 无误，1 有不符之处，2 用法有误，3 被中断。见 docs/audit.md。',
    en: 'Takes the environment variables of the gateway (DATA_DIR, DATABASE_URL, ...). Exit codes: 0 clean, 1 findings, 2 usage, 3 interrupted. See docs/audit.md.',
  },
  options: [
    {
      flags: '--signatures',
      text: {
        zh: '也验证每份申报的申报人签名（慢得多）',
        en: 'verify every filer’s signature too (takes much longer)',
      },
    },
    {
      flags: '--office <codes>',
      text: { zh: '只审计这些机关的日志，以逗号分隔', en: 'only the logs of these offices, with commas between them' },
    },
    {
      flags: '--limit-findings <n>',
      text: { zh: '最多列出多少处（其余只计数）', en: 'list so many findings at most and count the rest' },
      fallback: '1000',
      range: [0, 1_000_000],
    },
    {
      flags: '--state <file>',
      text: {
        zh: '进度文件：中断后用同一文件可继续',
        en: 'where an interrupted audit goes on; removed when it is done',
      },
    },
    {
      flags: '--threads <n>',
      text: { zh: '线程数', en: 'threads' },
      fallback: String(availableParallelism()),
      range: [1, 64],
    },
  ],
  async run(ctx, _args, options) {
    // Only here: the other commands must not wait for the database's parts to load.
    const { auditDatabase } = await import('../../maintenance.ts');
    const view = new View(ctx, numberOption(options, 'limitFindings'));
    const summary = await auditDatabase(logTo(ctx), {
      signatures: options.signatures === true,
      offices: officesOf(options),
      stateFile: textOption(options, 'state'),
      threads: numberOption(options, 'threads'),
      signal: ctx.signal,
      onFinding: (found) => view.finding(found),
      onProgress: ({ done, total }) => view.progress(done, total),
      onResume: (before) => view.resume(before),
    });
    return view.end(summary);
  },
};

function officesOf(options: OptionValues): string[] | undefined {
  const offices = textOption(options, 'office')
    ?.split(',')
    .map((code) => code.trim())
    .filter((code) => code !== '');
  return offices === undefined || offices.length === 0 ? undefined : offices;
}

/** What is shown on the way, and at the end. */
class View {
  readonly #ctx: CliContext;
  readonly #limit: number;
  readonly #bar: Progress;
  readonly #startedAt: number;
  #found = 0;

  constructor(ctx: CliContext, limit: number) {
    this.#ctx = ctx;
    this.#limit = limit;
    this.#bar = new Progress(ctx.terminal.progressStream(), () => ctx.clock.monotonic());
    this.#startedAt = ctx.clock.monotonic();
  }

  finding(found: DatabaseFinding): void {
    if (++this.#found > this.#limit) return;
    const { terminal } = this.#ctx;
    this.#bar.clear();
    terminal.result(found, () => findingLines(terminal, found));
  }

  progress(done: number, total: number): void {
    const seconds = Math.max(0.001, (this.#ctx.clock.monotonic() - this.#startedAt) / 1000);
    const rate = done / seconds;
    const left = duration((Math.max(0, total - done) * seconds) / Math.max(1, done));
    const { terminal } = this.#ctx;
    const text = terminal.say({
      zh: `${done} / ${total} 行，${rate.toFixed(0)} 行/秒，还需 ${left}`,
      en: `${done} of ${total} rows, ${rate.toFixed(0)}/s, ${left} left`,
    });
    this.#bar.draw(total === 0 ? undefined : done / total, text);
  }

  resume({
    startedAt,
    filings,
    found,
  }: {
    readonly startedAt: string;
    readonly filings: number;
    readonly found: number;
  }): void {
    this.#ctx.terminal.note({
      zh: `继续 ${startedAt} 开始的审计：已核对 ${filings} 份申报，当时发现 ${found} 处。`,
      en: `Going on with the audit of ${startedAt}: ${filings} filings were looked at, with ${found} findings.`,
    });
  }

  end(summary: DatabaseAuditSummary): ExitCode {
    this.#bar.clear();
    const { terminal } = this.#ctx;
    terminal.result({ summary }, () => summaryLines(terminal, summary, Math.max(0, this.#found - this.#limit)));
    if (!summary.isWhole) {
      terminal.fail({
        zh: '审计被中断：结果不完整。若用了 --state，再运行一次即可继续。',
        en: 'The audit was interrupted and is not whole. With --state the same command goes on.',
      });
      return EXIT.unreachable;
    }
    return Object.keys(summary.findings).length === 0 ? EXIT.done : EXIT.refused;
  }
}

function findingLines(terminal: Terminal, { severity, kind, id, row, office, what, means }: DatabaseFinding): string[] {
  const mark = severity === 'warning' ? terminal.paint('yellow', '!') : terminal.paint('red', '✗');
  const place = plain(id ?? row ?? office ?? '');
  return [`${mark} ${place}  ${kind}  ${terminal.say(what)}`, `    ${terminal.paint('dim', terminal.say(means))}`];
}

function summaryLines(terminal: Terminal, summary: DatabaseAuditSummary, unlisted: number): string[] {
  const { filings, seconds, offices, ticks, threads } = summary;
  const kinds = Object.entries(summary.findings);
  const found = kinds.reduce((sum, [, count]) => sum + count, 0);
  const counted = terminal.say({
    zh: `${offices} 个机关的 ${filings} 份申报、${ticks} 个签名批次，${seconds.toFixed(1)} 秒（每秒 ${(filings / Math.max(seconds, 0.001)).toFixed(0)} 份，${threads} 个线程）`,
    en: `${filings} filings of ${offices} offices and ${ticks} ticks in ${seconds.toFixed(1)} s (${(filings / Math.max(seconds, 0.001)).toFixed(0)} filings/s, ${threads} threads)`,
  });
  const scope = summary.signatures
    ? []
    : [
        terminal.say({
          zh: '未验证申报人的签名（--signatures）。',
          en: 'Filers’ signatures were not verified (--signatures).',
        }),
      ];
  if (found === 0) {
    const clean = terminal.say({
      zh: '没有不符之处。所有曾签署的检查点都是同一棵树的，因此彼此一致。',
      en: 'Everything fits. All checkpoints ever signed are of one tree, and so consistent with one another.',
    });
    return [counted, ...scope, ...(summary.isWhole ? [terminal.paint('green', clean)] : [])];
  }
  const more =
    unlisted === 0 ? [] : [terminal.say({ zh: `另有 ${unlisted} 处未列出。`, en: `${unlisted} more are not listed.` })];
  const heading = terminal.say({ zh: `${found} 处不符：`, en: `${found} findings:` });
  return [
    counted,
    ...scope,
    ...more,
    terminal.paint('red', heading),
    ...table(kinds.map(([kind, count]) => [`  ${kind}`, String(count)])),
  ];
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5_400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}

/** What the database's parts have to say goes to the person, not to standard output. */
function logTo({ terminal }: CliContext): Logger {
  const note = (_fields: object, message: string): void => terminal.note({ zh: message, en: message });
  return { debug: () => {}, info: () => {}, warn: note, error: note };
}
