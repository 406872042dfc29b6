import { type Jwks, payloadBytes, payloadDigest, type ReceiptReport, verifyReceipt } from '../../client/client.ts';
import { parseContent } from '../../client/leaf.ts';
import { type Command, textOption } from '../command.ts';
import { connect, nodeHash } from '../context.ts';
import { readDocument } from '../documents.ts';
import { EXIT, UsageError } from '../exit.ts';
import { readText } from '../files.ts';
import type { Terminal } from '../terminal.ts';
import { plain } from '../text.ts';

export const verify: Command = {
  name: 'verify',
  args: '<receipt>',
  summary: { zh: '验证回执；给出 --jwks 即可离线', en: 'verify a receipt; offline with --jwks' },
  details: {
    zh: '文件可以是回执、含回执的申报（submit --json 的输出），或每行一份的 NDJSON（submit 的日志）。',
    en: 'The file: a receipt, a filing that holds one (as submit --json prints), or NDJSON of them (a journal of submit).',
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
    { flags: '--issuer <url>', text: { zh: '回执应由此网关签发', en: 'the gateway that it must be from' } },
  ],
  async run(ctx, [file = ''], options) {
    const receipts = readReceipts(file, await readText(file));
    const jwks = await keySet(textOption(options, 'jwks'), async () => (await connect(ctx)).jwks());
    const filing = textOption(options, 'filing');
    const issuer = textOption(options, 'issuer');
    let failed = 0;
    for (const receipt of receipts) {
      const payload = filing === undefined ? undefined : await filingBytes(filing, receipt);
      const report = await verifyReceipt(receipt, jwks, {
        hash: nodeHash,
        ...(issuer === undefined ? {} : { issuer }),
        ...(payload === undefined ? {} : { payloadBytes: payload }),
      });
      if (!report.ok) failed++;
      ctx.terminal.result(report, () => reportLines(ctx.terminal, report));
    }
    return failed === 0 ? EXIT.done : EXIT.refused;
  },
};

function reportLines(terminal: Terminal, report: ReceiptReport): string[] {
  const id = plain(String(report.statement?.id ?? '?'));
  const verdict = report.ok
    ? terminal.paint('green', terminal.say({ zh: `${id}：回执有效`, en: `${id}: the receipt is valid` }))
    : terminal.paint('red', terminal.say({ zh: `${id}：回执无效`, en: `${id}: the receipt is NOT valid` }));
  const steps = report.steps.map(
    ({ ok, text }) => `  ${ok ? terminal.paint('green', '✓') : terminal.paint('red', '✗')} ${terminal.say(text)}`,
  );
  return [...steps, verdict, ...(report.ok && report.statement !== undefined ? [factsLine(report.statement)] : [])];
}

/** What was proved: the numbers around a receipt prove nothing. */
function factsLine({ type, filer, period, receivedAt, digest }: NonNullable<ReceiptReport['statement']>): string {
  return `  ${[type, filer, `${period.from} – ${period.to}`, receivedAt, digest].map(plain).join('  ')}`;
}

/** One JSON value, or one a line; a value that holds a filing or a receipt stands for it. */
function readReceipts(file: string, text: string): unknown[] {
  if (/^\s*[\w-]+\.[\w-]+\.[\w-]+\s*$/.test(text)) return [text];
  const whole = tryJson(text);
  const values =
    whole === undefined
      ? text
          .split('\n')
          .filter((line) => line.trim() !== '')
          .map(tryJson)
      : [whole];
  const receipts = values.map(receiptIn).filter((receipt) => receipt !== undefined);
  if (receipts.length === 0) throw new UsageError({ zh: `${file}：里面没有回执`, en: `${file}: no receipt in it` });
  return receipts;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function receiptIn(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if ('statement' in value) return value;
  if ('receipt' in value) return receiptIn(value.receipt);
  return 'filing' in value ? receiptIn(value.filing) : undefined;
}

async function keySet(file: string | undefined, ask: () => Promise<Jwks>): Promise<Jwks> {
  if (file === undefined) return ask();
  const value = tryJson(await readText(file));
  if (typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys)) return value as Jwks;
  throw new UsageError({ zh: `${file}：不是 JWKS`, en: `${file}: not a JWKS` });
}

/** The signed bytes. An unsigned file was signed as `sign` and `submit` write it, or else byte for byte. */
async function filingBytes(file: string, receipt: unknown): Promise<Uint8Array> {
  const document = await readDocument(file);
  if (document.kind === 'jws') return parseContent(document.content)?.payload ?? document.bytes;
  const rewritten = document.kind === 'payload' ? payloadBytes(document.payload) : document.bytes;
  return payloadDigest(document.bytes, nodeHash) === statedDigest(receipt) ? document.bytes : rewritten;
}

function statedDigest(receipt: unknown): unknown {
  const isCompact = typeof receipt === 'string';
  const signed = isCompact ? tryJson(Buffer.from(receipt.split('.')[1] ?? '', 'base64url').toString()) : undefined;
  const statement = isCompact ? signed : (receipt as { statement?: unknown }).statement;
  return (statement as { digest?: unknown } | null | undefined)?.digest;
}
