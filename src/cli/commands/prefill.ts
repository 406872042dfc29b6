import type { Text } from '../../std/text.ts';
import { type Command, type OptionValues, textOption } from '../command.ts';
import { connect, requireKey } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { writeNew } from '../files.ts';
import { plain } from '../text.ts';
import { FILER_OPTION } from './obligations.ts';

export const PERIOD_OPTIONS = [
  { flags: '--type <type>', text: { zh: '申报类型，例如 tax.vat.general', en: 'filing type such as tax.vat.general' } },
  {
    flags: '--period <period>',
    text: { zh: '所属期，例如 2026-10、2026-Q3、2026', en: 'period such as 2026-10, 2026-Q3, 2026' },
  },
  FILER_OPTION,
];

/** What is filed, for what period, by whom. */
export function periodQuery(options: OptionValues): {
  readonly type: string;
  readonly period: string;
  readonly filer?: string;
} {
  const [type, period, filer] = ['type', 'period', 'filer'].map((name) => textOption(options, name));
  if (type === undefined || period === undefined)
    throw new UsageError({ zh: '需要 --type 和 --period', en: 'needs --type and --period' });
  return { type, period, ...(filer === undefined ? {} : { filer }) };
}

export const prefill: Command = {
  name: 'prefill',
  args: '',
  summary: { zh: '预填一份申报，由上期申报带入', en: 'a payload to begin with, carried over from the last filing' },
  details: {
    zh: '输出未签名的 JSON，补充后用 submit 提交；--json 还给出待填项目和带入来源。',
    en: 'Prints unsigned JSON to complete and submit; --json adds what is left to fill and where values came from.',
  },
  options: [
    ...PERIOD_OPTIONS,
    { flags: '--out <file>', text: { zh: '写入文件而不是标准输出', en: 'write to a file instead of standard output' } },
    { flags: '--force', text: { zh: '覆盖已有文件', en: 'overwrite the file' } },
  ],
  async run(ctx, _, options) {
    await requireKey(ctx);
    const prefilled = await (await connect(ctx)).prefill(periodQuery(options), { signal: ctx.signal });
    const { payload, carriedFrom, fill, standing } = prefilled;
    const text = `${JSON.stringify(payload, null, 2)}\n`;
    const sources = carriedFrom.map(({ id }) => plain(id)).join(' ');
    const remarks: Text[] = [
      sources === ''
        ? { zh: `没有可带入的上期申报；待填 ${fill.length} 项`, en: `no earlier filing; ${fill.length} fields to fill` }
        : {
            zh: `由 ${sources} 带入；待填 ${fill.length} 项`,
            en: `carried over from ${sources}; ${fill.length} fields to fill`,
          },
    ];
    if (standing !== undefined)
      remarks.push({
        zh: `本期已有申报 ${plain(standing.id)}，只能更正`,
        en: `${plain(standing.id)} stands for this period already: only a correction can follow`,
      });
    const out = textOption(options, 'out');
    if (out !== undefined) {
      await writeNew(out, text, { force: options.force === true, secret: false });
      ctx.terminal.result({ file: out, ...prefilled }, () => [out, ...remarks.map((each) => ctx.terminal.say(each))]);
      return EXIT.done;
    }
    ctx.terminal.document(prefilled, text);
    for (const remark of remarks) ctx.terminal.note(remark);
    return EXIT.done;
  },
};
