import type { Command } from '../command.ts';
import { EXIT } from '../exit.ts';

export const serve: Command = {
  name: 'serve',
  args: '',
  summary: { zh: '启动网关', en: 'run the gateway' },
  details: {
    zh: '设置取自环境变量（PORT、HOST、DATABASE_URL、DATA_DIR、ISSUER……），见 docs/operating.md。',
    en: 'Settings come from the environment (PORT, HOST, DATABASE_URL, DATA_DIR, ISSUER, ...); see docs/operating.md.',
  },
  options: [],
  async run() {
    // Only here: the other commands must not wait for the whole gateway to load.
    const { startOrExplain } = await import('../../main.ts');
    await startOrExplain();
    return EXIT.done;
  },
};
