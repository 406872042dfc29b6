import { ShenbaoError } from '../../client/client.ts';
import type { Command } from '../command.ts';
import { connect } from '../context.ts';
import { findSources, parseDocument, readDocuments } from '../documents.ts';
import { EXIT, exitCodeOf } from '../exit.ts';

export const validate: Command = {
  name: 'validate',
  args: '<inputs...>',
  summary: { zh: '试算：逐条列出错误，不提交', en: 'the verdict that a submission would get; files nothing' },
  details: {
    zh: '输入可以是未签名的 JSON、JWS、NDJSON 文件、文件夹，或 -（标准输入，NDJSON）。',
    en: 'Inputs: unsigned JSON, a JWS, an NDJSON file, a folder, or - (standard input, NDJSON).',
  },
  options: [],
  async run(ctx, inputs) {
    const { terminal, signal } = ctx;
    const client = await connect(ctx);
    let refused = 0;
    for await (const { name, bytes } of readDocuments(await findSources(inputs))) {
      const document = parseDocument(bytes);
      if (document.kind === 'unreadable') {
        refused++;
        terminal.result({ name, valid: false, reason: document.reason }, () => [
          `${name}: ${terminal.say(document.reason)}`,
        ]);
        continue;
      }
      try {
        const filing = document.kind === 'jws' ? document.content : document.payload;
        const verdict = await client.validate(filing, { signal });
        if (!verdict.valid) refused++;
        const word = verdict.valid
          ? terminal.paint('green', terminal.say({ zh: '通过', en: 'valid' }))
          : terminal.paint('red', terminal.say({ zh: '有误', en: 'not valid' }));
        terminal.result({ name, ...verdict }, () => [
          `${name}: ${word}`,
          ...terminal.violationLines([...verdict.errors, ...verdict.warnings]),
        ]);
      } catch (error) {
        if (!(error instanceof ShenbaoError) || exitCodeOf(error) !== EXIT.refused) throw error;
        refused++;
        terminal.problem(error, name);
      }
    }
    return refused === 0 ? EXIT.done : EXIT.refused;
  },
};
