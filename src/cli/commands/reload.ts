import type { Reload } from '../../client/client.ts';
import type { Command } from '../command.ts';
import { connect, requireKey } from '../context.ts';
import { EXIT } from '../exit.ts';
import type { Terminal } from '../terminal.ts';
import { plain } from '../text.ts';

export const reload: Command = {
  name: 'reload',
  args: '',
  summary: {
    zh: '让网关重新读取 schemas 目录（运维方）',
    en: 'have the gateway read its folder schemas again (operator)',
  },
  details: {
    zh: '校验通过即在所有进程生效；有误则列出每处的文件和行号，现有类型继续有效。',
    en: 'In force in every process when it is sound; otherwise every fault is listed by file and line, and the types in force stay.',
  },
  options: [],
  async run(ctx) {
    await requireKey(ctx);
    const result = await (await connect(ctx)).reloadFilingTypes({ signal: ctx.signal });
    ctx.terminal.result(result, () => reloadLines(ctx.terminal, result));
    return EXIT.done;
  },
};

function reloadLines(terminal: Terminal, { added, changed, otherFiles, types, versions }: Reload): string[] {
  const lists = [
    [{ zh: '新增', en: 'added' }, added],
    [{ zh: '变更', en: 'changed' }, changed],
    [{ zh: '其他文件', en: 'other files' }, otherFiles],
  ] as const;
  const lines = lists
    .filter(([, names]) => names.length > 0)
    .map(([word, names]) => `${terminal.say(word)}: ${names.map(plain).join(', ')}`);
  return [
    ...(lines.length > 0 ? lines : [terminal.say({ zh: '没有变化', en: 'nothing has changed' })]),
    terminal.say({
      zh: `现有 ${types} 种申报、${versions} 个版本`,
      en: `${types} filing types in ${versions} versions are in force`,
    }),
  ];
}
