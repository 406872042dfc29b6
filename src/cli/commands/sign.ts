import { type ClientOptions, importSigningKey, signFiling } from '../../client/client.ts';
import { type Command, textOption } from '../command.ts';
import { connect, requireKey } from '../context.ts';
import { readDocument } from '../documents.ts';
import { EXIT, UsageError } from '../exit.ts';
import { writeNew } from '../files.ts';

export const sign: Command = {
  name: 'sign',
  args: '<file>',
  summary: { zh: '签名一份申报，输出紧凑格式的 JWS', en: 'sign a payload; prints a compact JWS' },
  options: [
    {
      flags: '--issuer <url>',
      text: { zh: '网关的 issuer；给出则不联网', en: 'the gateway’s issuer; with it no network is needed' },
    },
    { flags: '--out <file>', text: { zh: '写入文件而不是标准输出', en: 'write to a file instead of standard output' } },
    { flags: '--force', text: { zh: '覆盖已有文件', en: 'overwrite the file' } },
  ],
  async run(ctx, [file = ''], options) {
    const jwk = await requireKey(ctx);
    const document = await readDocument(file);
    if (document.kind !== 'payload') throw new UsageError({ zh: `${file}：已经签名`, en: `${file}: signed already` });
    const given = textOption(options, 'issuer');
    const known: Partial<ClientOptions> = given === undefined ? {} : { issuer: given };
    const issuer = await (await connect(ctx, known)).issuer();
    const jws = await signFiling(document.payload, await importSigningKey(jwk), issuer);
    const out = textOption(options, 'out');
    // Without a line end: a file that curl sends as it is holds the JWS and nothing else.
    if (out === undefined) ctx.terminal.document({ jws }, jws);
    else {
      await writeNew(out, jws, { force: options.force === true, secret: false });
      ctx.terminal.result({ file: out }, () => [out]);
    }
    return EXIT.done;
  },
};
