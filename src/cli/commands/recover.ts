import type { LostEntries } from '../../maintenance.ts';
import { formatInstant } from '../../std/clock.ts';
import { type Command, textOption } from '../command.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { plain, table } from '../text.ts';

const MAX_REASON = 500;

export const recover: Command = {
  name: 'recover',
  args: '',
  summary: {
    zh: '数据库被恢复到较早的状态后：列出缺少的内容，确认后继续（运维方，须先停止网关）',
    en: 'after a database was restored to an earlier state: show what is missing, and go on once accepted (operator; stop the gateway first)',
  },
  details: {
    zh: '使用与网关相同的环境变量（DATA_DIR、DATABASE_URL、ISSUER……）。不加 --accept 时只列出，不作任何改动；缺少的内容无法由此找回。见 docs/operating.md。',
    en: 'Takes the environment variables of the gateway (DATA_DIR, DATABASE_URL, ISSUER, ...). Without --accept it only shows and changes nothing; what is missing does not come back by it. See docs/operating.md.',
  },
  options: [
    {
      flags: '--accept',
      text: { zh: '确认缺少的内容已无法找回，并继续', en: 'what is missing cannot be had back: go on without it' },
    },
    {
      flags: '--reason <text>',
      text: { zh: '原因，永久记录（与 --accept 同用）', en: 'why, recorded for good (with --accept)' },
    },
  ],
  async run(ctx, _args, options) {
    const reason = textOption(options, 'reason')?.trim() ?? '';
    if (options.accept === true && (reason === '' || reason.length > MAX_REASON)) {
      throw new UsageError({
        zh: `--accept 须与 --reason 同用，说明原因（不超过 ${MAX_REASON} 字）`,
        en: `--accept needs --reason with the reason, ${MAX_REASON} characters at most`,
      });
    }
    // Only here: the other commands must not wait for the database's parts to load.
    const { withRecovery } = await import('../../maintenance.ts');
    return withRecovery(logTo(ctx), async ({ losses, accept }) => {
      show(ctx.terminal, losses);
      if (losses.length === 0) return EXIT.done;
      if (options.accept !== true) return notAccepted(ctx.terminal);
      await accept(reason);
      ctx.terminal.note({
        zh: '已记录：此后签名的每个检查点和全国日志都写明这次恢复。现在可以启动网关；请让申报方重新提交缺少的申报。',
        en: 'Recorded: every checkpoint from now on and the national log tell of it. The gateway starts again; have what is missing filed again.',
      });
      return EXIT.done;
    });
  },
};

function notAccepted(terminal: Terminal): ExitCode {
  terminal.fail({
    zh: '未作任何改动。若有更新的备份，请改为恢复它；若确已无法找回，请加上 --accept --reason "原因" 再运行一次。',
    en: 'Nothing was changed. If there is a newer backup, restore that; if what is missing cannot be had back, run this again with --accept --reason "why".',
  });
  return EXIT.refused;
}

function show(terminal: Terminal, losses: readonly LostEntries[]): void {
  const items = losses.map(({ signedAt, ...loss }) => ({ ...loss, signedAt: formatInstant(signedAt) }));
  terminal.result({ losses: items }, () => {
    if (losses.length === 0) return [terminal.say(NOTHING)];
    const heading = HEADINGS.map((word) => terminal.say(word));
    return table([heading, ...losses.map((loss) => row(terminal, loss))]);
  });
}

const NOTHING = {
  zh: '没有缺少：数据库含有已签名的全部内容。',
  en: 'Nothing is missing: the database holds all that was signed.',
};

const HEADINGS = [
  { zh: '机关', en: 'office' },
  { zh: '已签名', en: 'signed' },
  { zh: '尚存', en: 'kept' },
  { zh: '缺少', en: 'missing' },
  { zh: '签名时间', en: 'signed at' },
  { zh: '说明', en: 'what happened' },
];

function row(terminal: Terminal, { office, kind, lost, kept, signedAt }: LostEntries): string[] {
  const name = office === '' ? terminal.say({ zh: '全国日志', en: 'national log' }) : plain(office);
  const word =
    kind === 'shorter'
      ? { zh: '末尾缺少', en: 'missing at the end' }
      : { zh: '内容不同，可确认的只有「尚存」部分', en: 'other entries in their place; no more is certain than kept' };
  return [name, String(lost), String(kept), String(lost - kept), formatInstant(signedAt), terminal.say(word)];
}

/** Warnings of the database's start are for the person at the keyboard. */
function logTo({ terminal }: CliContext) {
  const silent = (): void => {};
  const tell = (_fields: object, message: string): void => terminal.note({ zh: message, en: message });
  return { debug: silent, info: silent, warn: tell, error: tell };
}
