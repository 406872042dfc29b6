import type { FieldValues } from '../../client/client.ts';
import { parseStrictJson } from '../../std/json.ts';
import type { Command } from '../command.ts';
import { connect, requireKey } from '../context.ts';
import { EXIT, UsageError } from '../exit.ts';
import { plain } from '../text.ts';
import { PERIOD_OPTIONS, periodQuery } from './prefill.ts';

export const fileZero: Command = {
  name: 'file-zero',
  args: '[fields...]',
  summary: { zh: '零申报：预填、签名并提交', en: 'a zero filing: prefill, sign and submit' },
  details: {
    zh: '期初数和累计数由上期申报带入。字段写作 /data/filerKind=individual，用于补充网关不知道的内容。',
    en: 'Openings and cumulative columns carry over. A field such as /data/filerKind=individual says what the gateway cannot know.',
  },
  options: PERIOD_OPTIONS,
  async run(ctx, fields, options) {
    const query = { ...periodQuery(options), fields: fieldValues(fields) };
    await requireKey(ctx);
    const { terminal, signal } = ctx;
    const { filing, replayed } = await (await connect(ctx)).fileZero(query, { signal });
    const word = replayed
      ? { zh: '此前已受理，原回执', en: 'had it already, original receipt' }
      : { zh: '已零申报', en: 'zero filing filed' };
    const late = filing.late ? ` ${terminal.paint('yellow', terminal.say({ zh: '（逾期）', en: '(late)' }))}` : '';
    terminal.result({ replayed, filing }, () => [
      `${terminal.paint('green', '✓')} ${terminal.paint('bold', plain(filing.id))}  ${terminal.say(word)}  ${filing.receivedAt}${late}`,
      ...terminal.violationLines(filing.warnings),
    ]);
    return EXIT.done;
  },
};

/** `/data/x=1`: a number, true, false or a text in quotes is JSON; anything else is a text as it stands. */
function fieldValues(fields: readonly string[]): FieldValues {
  return Object.fromEntries(
    fields.map((field) => {
      const at = field.indexOf('=');
      if (!field.startsWith('/data/') || at < 0)
        throw new UsageError({ zh: `${field}：字段应形如 /data/x=1`, en: `${field}: a field looks like /data/x=1` });
      const text = field.slice(at + 1);
      const parsed = parseStrictJson(text, { depth: 1, values: 1 });
      return [field.slice(0, at), parsed.ok ? parsed.value : text];
    }),
  );
}
