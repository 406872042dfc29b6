import { type Jwks, payloadBytes } from '../../client/client.ts';
import { type Command, textOption } from '../command.ts';
import { type CliContext, connect } from '../context.ts';
import { readDocument } from '../documents.ts';
import { EXIT, UsageError } from '../exit.ts';
import { type Found, type FoundOf, readFound, readKeys } from '../verify/documents.ts';
import {
  examineCheckpoint,
  examineContent,
  examineProof,
  examineReceipt,
  type GivenReceipt,
  type Keys,
  ofKind,
  pairReceipts,
  type Report,
  type SeenHead,
  type WithHead,
} from '../verify/examine.ts';
import { Display } from '../verify/show.ts';
import { compareAll, examineEntries, groupEntries, olderFor, type ReadEntries, spokenOf } from '../verify/together.ts';

export const verify: Command = {
  name: 'verify',
  args: '<files...>',
  summary: {
    zh: '验证回执、申报原文、证明、检查点和日志条目；给出 --jwks 即可离线',
    en: 'verify receipts, content, proofs, checkpoints and log entries; offline with --jwks',
  },
  details: {
    zh: [
      '文件按内容识别：回执（JSON 或 JWS）、含回执的申报（submit --json 的输出）或其 NDJSON（submit 的日志）、申报原文（.../content）、',
      '存在证明（.../proof）、检查点、一致性证明（.../consistency）、全国证明（/v1/national/proofs/…）、日志条目（pull 的文件）、公钥（JWKS）。',
      '一次给出多个文件时，相互核对。每一步都说明算了什么、与什么比较、为什么能证明。',
    ].join('\n'),
    en: [
      'Files are told apart by what is in them: receipts (JSON or JWS), filings that hold one (as submit --json prints) and NDJSON of them (a',
      'journal of submit), content (.../content), proofs (.../proof), checkpoints, consistency proofs (.../consistency), national proofs',
      '(/v1/national/proofs/...), log entries (files of pull), public keys (JWKS). Files that are given together are held against each other.',
      'Every step says what was computed, what it was compared with, and why that proves something.',
    ].join('\n'),
  },
  options: [
    {
      flags: '--jwks <file>',
      text: {
        zh: '网关公钥文件（/.well-known/jwks.json）',
        en: 'the gateway’s public keys (/.well-known/jwks.json), kept in a file',
      },
    },
    {
      flags: '--filing <file>',
      text: { zh: '同时核对申报内容（JSON 或 JWS）', en: 'also check that it is for this filing (JSON or JWS)' },
    },
    {
      flags: '--keys <file>',
      text: {
        zh: '申报人、机关的公钥（JWKS 或 JWK），核对其签名和会签',
        en: 'public keys of filers and offices (JWKS or JWK): also check their signatures and cosignatures',
      },
    },
    { flags: '--issuer <url>', text: { zh: '回执应由此网关签发', en: 'the gateway that it must be from' } },
  ],
  async run(ctx, files, options) {
    const found: Found[] = [];
    for (const file of files) found.push(...(await readFound(file)));
    const filing = textOption(options, 'filing');
    const given = ofKind(found, 'keys').map(({ keys }) => keys);
    const [jwks, others] = [textOption(options, 'jwks'), textOption(options, 'keys')];
    const keys: Keys = {
      gateway: keySet(ctx, jwks === undefined ? given[0] : await readKeys(jwks)),
      others: others === undefined ? undefined : await readKeys(others),
      issuer: textOption(options, 'issuer'),
    };
    if (found.length === given.length) throw nothingToCheck();
    const forced = filing === undefined ? undefined : await asContent(filing);
    return (await examineAll(ctx, found, keys, forced)) ? EXIT.done : EXIT.refused;
  },
};

type Content = FoundOf<'content'> | FoundOf<'payload'>;

/** A document that must be a filing's content. An unsigned one was signed as `sign` and `submit` write it, or as it stands. */
async function asContent(file: string): Promise<Content> {
  const document = await readDocument(file);
  if (document.kind === 'jws') return { kind: 'content', name: file, content: document.content };
  const rewritten = document.kind === 'payload' ? [payloadBytes(document.payload)] : [];
  return { kind: 'payload', name: file, spellings: [document.bytes, ...rewritten] };
}

function nothingToCheck(): UsageError {
  return new UsageError({
    zh: '只有公钥，没有要验证的文件',
    en: 'there are keys only, and nothing to verify with them',
  });
}

/** Asked of the gateway once, and only when a signature of its own is to be checked. */
function keySet(ctx: CliContext, known: Jwks | undefined): Keys['gateway'] {
  let asked: Promise<Jwks> | undefined;
  return () => {
    if (known !== undefined) return Promise.resolve(known);
    asked ??= connect(ctx).then((client) => client.jwks());
    return asked;
  };
}

async function examineAll(
  ctx: CliContext,
  found: readonly Found[],
  keys: Keys,
  forced: Content | undefined,
): Promise<boolean> {
  const display = new Display(ctx.terminal);
  const { receipts, strays } = pairReceipts(found, forced);
  const base = baseOf(keys.issuer ?? receipts.find(({ facts }) => facts !== undefined)?.facts?.statement.iss);
  const entries: { suffix: string; result: ReadEntries[number]['result'] }[] = [];
  const wanted = spokenOf(found, receipts);
  for (const group of await groupEntries(found)) {
    const { report, result } = await examineEntries(group, wanted, keys, base);
    display.show(report);
    entries.push({ suffix: group.suffix, result });
  }
  for (const receipt of receipts) display.show(await examineReceipt(receipt, keys), receipt.facts?.statement.id);
  for (const one of [...ofKind(found, 'content'), ...ofKind(found, 'payload')]) {
    if (receipts.length === 0 && (one.kind === 'payload' || keys.others === undefined)) throw needsReceipt(one.name);
    display.show(await examineContent(one, keys, strays.includes(one)));
  }
  const { heads, connected } = await examineHeads(found, keys, base, { receipts, entries, display });
  const together = compareAll(heads, entries, receipts, connected);
  if (together !== undefined) display.show(together);
  return display.ok;
}

function needsReceipt(name: string): UsageError {
  return new UsageError({
    zh: `${name}：请一并给出回执（或以 --keys 给出申报人公钥），否则没有可核对的`,
    en: `${name}: give its receipt too (or the filer’s keys with --keys): there is nothing to check it against`,
  });
}

interface Around {
  readonly receipts: readonly GivenReceipt[];
  readonly entries: ReadEntries;
  readonly display: { show(report: Report): void };
}

/** Checkpoints and what has one in it. */
async function examineHeads(
  found: readonly Found[],
  keys: Keys,
  base: string | undefined,
  { receipts, entries, display }: Around,
): Promise<{ heads: SeenHead[]; connected: Set<string> }> {
  const heads: SeenHead[] = [];
  const connected = new Set<string>();
  const take = ({ report, heads: more }: WithHead): void => {
    display.show(report);
    heads.push(...more);
  };
  for (const one of ofKind(found, 'checkpoint')) take(await examineCheckpoint(one, keys, base));
  for (const one of ofKind(found, 'consistency')) {
    const note = olderFor(one, found, base);
    const older = note === undefined ? undefined : { note, path: one.path };
    const examined = await examineCheckpoint(one, keys, base, older);
    if (older !== undefined) for (const { origin } of examined.heads) connected.add(origin);
    take(examined);
  }
  const leaves = new Map<string, string>();
  for (const { suffix, result } of entries) {
    for (const [index, leaf] of result.ok ? result.leaves : []) leaves.set(`${suffix} ${index}`, leaf);
  }
  for (const one of ofKind(found, 'proof')) take(await examineProof(one, keys, base, { receipts, leaves }));
  return { heads, connected };
}

function baseOf(issuer: string | undefined): string | undefined {
  return issuer?.replace(/^[a-z]+:\/\//, '').replace(/\/+$/, '');
}
