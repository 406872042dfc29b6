import { type Algorithm, generateKey, publicJwk } from '../../client/client.ts';
import { type Command, textOption } from '../command.ts';
import { EXIT } from '../exit.ts';
import { writeNew } from '../files.ts';

export const keygen: Command = {
  name: 'keygen',
  args: '',
  summary: { zh: '生成签名密钥（私钥 JWK）', en: 'make a signing key (a private JWK)' },
  details: {
    zh: '私钥留在文件里（权限 0600），交给网关的只有公钥。',
    en: 'The private key stays in the file (mode 0600); only the public key goes to the gateway.',
  },
  options: [
    {
      flags: '--alg <name>',
      text: { zh: '算法', en: 'algorithm' },
      fallback: 'ES256',
      choices: ['ES256', 'EdDSA', 'PS256', 'RS256'],
    },
    {
      flags: '--sub <party>',
      text: { zh: '密钥所属主体（统一社会信用代码、机关代码）', en: 'the party it is for (USCC, or an office’s code)' },
    },
    { flags: '--out <file>', text: { zh: '写入的文件', en: 'file to write' }, fallback: 'key.jwk' },
    { flags: '--force', text: { zh: '覆盖已有文件', en: 'overwrite the file' } },
  ],
  async run(ctx, _, options) {
    const party = textOption(options, 'sub');
    const out = textOption(options, 'out') ?? 'key.jwk';
    const jwk = await generateKey(textOption(options, 'alg') as Algorithm, party);
    await writeNew(out, `${JSON.stringify(jwk)}\n`, { force: options.force === true, secret: true });
    const registration = { op: 'key', party: party ?? '…', jwk: publicJwk(jwk) };
    const { terminal } = ctx;
    terminal.result({ kid: jwk.kid, file: out, registration }, () => [
      `kid  ${jwk.kid}`,
      `${terminal.say({ zh: '私钥', en: 'key' })}  ${out}`,
      '',
      terminal.say({
        zh: '登记：请运维方把下面这一行存为 key.ndjson，然后运行 shenbao import key.ndjson --key .data/operator.jwk',
        en: 'To register it, the operator saves this line as key.ndjson and runs shenbao import key.ndjson --key .data/operator.jwk',
      }),
      JSON.stringify(registration),
    ]);
    return EXIT.done;
  },
};
