import { randomUUID } from 'node:crypto';
import type { ClientOptions, Mandate, Mandates, MandateTerms } from '../../client/client.ts';
import { type Clock, shanghaiDate } from '../../std/clock.ts';
import { type Command, type OptionValues, textOption } from '../command.ts';
import { type CliContext, connect, requireKey } from '../context.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { readText, writeNew } from '../files.ts';
import type { Terminal } from '../terminal.ts';
import { plain } from '../text.ts';

interface Work {
  readonly ctx: CliContext;
  /** Of one gateway; `issuer` given: no network is needed to sign. */
  readonly mandates: Mandates;
  /** The mandate's id, or a file. */
  readonly subject: string | undefined;
  readonly options: OptionValues;
}

const ACTIONS: Readonly<Record<string, (work: Work) => Promise<ExitCode>>> = { sign, send, give, end, show };
const ACTION_NAMES = Object.keys(ACTIONS).join('|');

export const mandate: Command = {
  name: 'mandate',
  args: '<action> [subject...]',
  summary: { zh: '委托代理机构：签名、提交、收回、查询', en: 'mandates for agents: sign, send, take back, show' },
  details: {
    zh: [
      'give [编号]：申报人签名并提交委托（--agent、--types）；编号相同的委托由新的取代',
      'sign [编号]：只签名，输出 JWS，由任何人提交',
      'send <文件>：提交已签名的委托',
      'end <编号>：收回，以昨天（或 --to）为最后一天',
      'show <编号>：双方均可查询',
    ].join('\n'),
    en: [
      'give [id]: the filer signs and sends a mandate (--agent, --types); one of the same id is replaced',
      'sign [id]: signs only and prints the JWS, which anybody may send',
      'send <file>: sends a mandate that is signed already',
      'end <id>: takes it back; its last day is yesterday, or --to',
      'show <id>: for both sides',
    ].join('\n'),
  },
  options: [
    { flags: '--agent <uscc>', text: { zh: '代理机构', en: 'the agent' } },
    {
      flags: '--types <list>',
      text: {
        zh: '申报类型，以逗号分隔，如 tax.*,si.*',
        en: 'filing types, separated by commas: tax.*,si.*',
      },
    },
    { flags: '--from <date>', text: { zh: '第一天（默认为今天）', en: 'first day; by default today' } },
    { flags: '--to <date>', text: { zh: '最后一天（默认为长期）', en: 'last day; by default none' } },
    {
      flags: '--issuer <url>',
      text: { zh: '网关的 issuer；给出则签名不联网', en: 'the gateway’s issuer; with it signing needs no network' },
    },
    { flags: '--out <file>', text: { zh: 'JWS 写入文件', en: 'write the JWS to a file' } },
    { flags: '--force', text: { zh: '覆盖已有文件', en: 'overwrite the file' } },
  ],
  async run(ctx, [action = '', subject], options) {
    const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (act === undefined)
      throw new UsageError({ zh: `应为 ${ACTION_NAMES} 之一`, en: `the action is one of ${ACTION_NAMES}` });
    if (action !== 'send') await requireKey(ctx);
    const issuer = textOption(options, 'issuer');
    const known: Partial<ClientOptions> = issuer === undefined ? {} : { issuer };
    const mandates = (await connect(ctx, known)).mandates();
    return act({ ctx, mandates, subject, options });
  },
};

async function sign({ ctx, mandates, subject, options }: Work): Promise<ExitCode> {
  const terms = await termsOf(ctx, subject, options);
  const jws = await mandates.sign(terms);
  const out = textOption(options, 'out');
  if (out === undefined) ctx.terminal.document({ id: terms.id, jws }, jws);
  else {
    await writeNew(out, jws, { force: options.force === true, secret: false });
    ctx.terminal.result({ id: terms.id, file: out }, () => [out]);
  }
  return EXIT.done;
}

async function send({ ctx, mandates, subject }: Work): Promise<ExitCode> {
  if (subject === undefined) throw new UsageError({ zh: '缺少文件', en: 'which file?' });
  return told(ctx.terminal, await mandates.send(await readText(subject)));
}

async function give({ ctx, mandates, subject, options }: Work): Promise<ExitCode> {
  return told(ctx.terminal, await mandates.give(await termsOf(ctx, subject, options)));
}

async function end({ ctx, mandates, subject, options }: Work): Promise<ExitCode> {
  return told(ctx.terminal, await mandates.end(idOf(subject), textOption(options, 'to')));
}

async function show({ ctx, mandates, subject }: Work): Promise<ExitCode> {
  return told(ctx.terminal, await mandates.get(idOf(subject)));
}

function idOf(subject: string | undefined): string {
  if (subject === undefined) throw new UsageError({ zh: '缺少委托编号', en: 'which mandate?' });
  return subject;
}

/** What the options say; a mandate without an id of the filer's own gets a random one. */
async function termsOf(ctx: CliContext, id: string | undefined, options: OptionValues): Promise<MandateTerms> {
  const { sub: filer } = await requireKey(ctx);
  const [agent, types, from, to] = ['agent', 'types', 'from', 'to'].map((name) => textOption(options, name));
  if (filer === undefined)
    throw new UsageError({ zh: '密钥文件中没有 sub（申报人）', en: 'the key has no sub, the filer' });
  if (agent === undefined || types === undefined)
    throw new UsageError({ zh: '需要 --agent 和 --types', en: 'needs --agent and --types' });
  return {
    id: id ?? randomUUID(),
    agent,
    filer,
    types: types.split(',').map((type) => type.trim()),
    from: from ?? today(ctx.clock),
    ...(to === undefined ? {} : { to }),
  };
}

function today(clock: Clock): string {
  return shanghaiDate(clock.now());
}

function told(terminal: Terminal, given: Mandate): ExitCode {
  const { id, agent, filer, types, from, to, signedAt } = given;
  terminal.result(given, () => [
    plain(`${id}: ${filer} → ${agent}`),
    `${terminal.say({ zh: '类型', en: 'types' })}  ${plain(types.join(', '))}`,
    `${terminal.say({ zh: '期间', en: 'dates' })}  ${plain(from)} – ${to === undefined ? '' : plain(to)}`,
    signedAt === undefined
      ? terminal.say({ zh: '由运维方登记', en: 'entered by an operator' })
      : terminal.say({ zh: `申报人签名于 ${plain(signedAt)}`, en: `signed by the filer at ${plain(signedAt)}` }),
  ]);
  return EXIT.done;
}
