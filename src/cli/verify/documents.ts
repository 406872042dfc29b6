import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { type FilingPayload, type Jwk, type Jwks, parseJws, payloadBytes } from '../../client/client.ts';
import { parseContent } from '../../client/leaf.ts';
import { splitLines } from '../../std/lines.ts';
import type { Text } from '../../std/text.ts';
import { fileError, UsageError } from '../exit.ts';

/** What a file turned out to be, by its content. */
export type Found =
  | { readonly kind: 'receipt'; readonly name: string; readonly receipt: unknown }
  | { readonly kind: 'content'; readonly name: string; readonly content: string }
  /** A payload that is not signed, as a filer has it: the bytes of the file, and as `sign` and `submit` write it. */
  | { readonly kind: 'payload'; readonly name: string; readonly spellings: readonly Uint8Array[] }
  | { readonly kind: 'proof'; readonly name: string; readonly text: string }
  | { readonly kind: 'checkpoint'; readonly name: string; readonly text: string }
  | {
      readonly kind: 'consistency';
      readonly name: string;
      readonly from: unknown;
      readonly path: readonly string[];
      readonly text: string;
    }
  | {
      readonly kind: 'entries' | 'national-entries';
      readonly name: string;
      readonly values: () => AsyncIterable<unknown>;
    }
  | { readonly kind: 'keys'; readonly name: string; readonly keys: Jwks };

export type FoundOf<K extends Found['kind']> = Extract<Found, { readonly kind: K }>;

/** Enough to tell what a file is. */
const SNIFFED_BYTES = 64 * 1024;
/** Of a file that is read whole; lines of a log are read one by one, however many there are. */
const WHOLE_BYTES = 512 * 1024 * 1024;
const LINE_BYTES = 96 * 1024 * 1024;

/** Everything in a file. Throws a UsageError for a file that cannot be read, or that holds nothing of ours. */
export async function readFound(file: string): Promise<Found[]> {
  const found = await findIn(file);
  if (found.length > 0) return found;
  throw new UsageError({
    zh: `${file}：无法识别，里面没有回执、申报原文、检查点、证明、日志条目或公钥`,
    en: `${file}: not recognised: no receipt, content, checkpoint, proof, log entries or keys in it`,
  });
}

/** A file that must hold public keys. */
export async function readKeys(file: string): Promise<Jwks> {
  const [found] = await findIn(file);
  if (found?.kind === 'keys') return found.keys;
  throw new UsageError({ zh: `${file}：不是 JWKS`, en: `${file}: not a JWKS` });
}

async function findIn(file: string): Promise<Found[]> {
  const { head, size } = await sniff(file);
  const [first = ''] = head.trimStart().split('\n', 1);
  const kind = ENTRY_BEGINS.test(first) ? 'entries' : linesKind(tryJson(first));
  if (kind !== undefined) return [{ kind, name: file, values: () => readValues(file) }];
  return size > WHOLE_BYTES ? [] : recognise(file, await readWhole(file));
}

/** As the gateway writes an entry, whose first line may be longer than what is looked at. */
const ENTRY_BEGINS = /^\{"index":\d+,"id":"[^"]*","receivedAt":"[^"]*","salt":/;

async function sniff(file: string): Promise<{ head: string; size: number }> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(SNIFFED_BYTES), 0, SNIFFED_BYTES, 0);
      return { head: buffer.subarray(0, bytesRead).toString(), size: (await handle.stat()).size };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(file, error);
  }
}

async function readWhole(file: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  try {
    for await (const part of createReadStream(file)) parts.push(part as Buffer);
  } catch (error) {
    throw fileError(file, error);
  }
  return Buffer.concat(parts);
}

async function* readValues(file: string): AsyncGenerator<unknown> {
  for await (const { bytes } of splitLines(createReadStream(file), LINE_BYTES)) yield tryJson(bytes.toString());
}

/** Lines of a log by their first one. */
function linesKind(value: unknown): 'entries' | 'national-entries' | undefined {
  if (has(value, 'index', 'salt', 'leaf')) return 'entries';
  return has(value, 'index', 'kind', 'text', 'leaf') ? 'national-entries' : undefined;
}

function recognise(name: string, bytes: Buffer): Found[] {
  const text = bytes.toString();
  if (text.startsWith('c2sp.org/tlog-proof@')) return [{ kind: 'proof', name, text }];
  if (/\n\n— /.test(text)) return [{ kind: 'checkpoint', name, text }];
  if (COMPACT.test(text)) return [compact(name, text.trim())];
  const whole = tryJson(text);
  if (whole !== undefined) return recogniseValue(name, whole, bytes);
  // NDJSON, such as a journal of submit, of which an interruption may have left half a line.
  return text.split('\n').flatMap((line, i) => {
    const value = tryJson(line);
    return value === undefined ? [] : recogniseValue(`${name}:${i + 1}`, value, Buffer.from(line));
  });
}

const COMPACT = /^\s*[\w-]+\.[\w-]+\.[\w-]+\s*$/;

/** What the gateway signed is a receipt; what is signed as a filing is content. */
function compact(name: string, text: string): Found {
  const typ = parseJws(text)?.header.typ;
  return typ === 'filing+jws' ? { kind: 'content', name, content: text } : { kind: 'receipt', name, receipt: text };
}

function recogniseValue(name: string, value: unknown, bytes: Buffer): Found[] {
  if (typeof value === 'string') return COMPACT.test(value) ? [compact(name, value.trim())] : [];
  const kind = linesKind(value);
  if (kind !== undefined) return [{ kind, name, values: () => once(value) }];
  if (has(value, 'keys') && Array.isArray(value.keys)) return [{ kind: 'keys', name, keys: value as unknown as Jwks }];
  if (has(value, 'kty')) return [{ kind: 'keys', name, keys: { keys: [value as unknown as Jwk] } }];
  const content = bytes.toString().trim();
  if (has(value, 'payload', 'manifest') || has(value, 'payload', 'protected'))
    return [{ kind: 'content', name, content }];
  if (has(value, 'path', 'checkpoint') && Array.isArray(value.path))
    return [
      { kind: 'consistency', name, from: fromIn(value), path: value.path.map(String), text: String(value.checkpoint) },
    ];
  const receipt = receiptIn(value);
  if (receipt !== undefined) return [{ kind: 'receipt', name, receipt }, ...deliveryIn(name, value)];
  if (!has(value, 'type', 'filer', 'period')) return [];
  return [{ kind: 'payload', name, spellings: [bytes, payloadBytes(value as FilingPayload)] }];
}

function fromIn(value: object): unknown {
  return 'from' in value ? value.from : undefined;
}

async function* once(value: unknown): AsyncGenerator<unknown> {
  yield value;
}

/** A value that holds a filing or a receipt stands for it. */
function receiptIn(value: unknown): unknown {
  if (has(value, 'statement')) return value;
  if (has(value, 'receipt')) return receiptIn(value.receipt);
  return has(value, 'filing') ? receiptIn(value.filing) : undefined;
}

/** A filing that was delivered shows the office's cosigned checkpoint. */
function deliveryIn(name: string, value: unknown): Found[] {
  const filing = has(value, 'filing') ? value.filing : value;
  const delivery = has(filing, 'delivery') ? filing.delivery : undefined;
  const cosignature = has(delivery, 'cosignature') ? delivery.cosignature : undefined;
  if (!has(cosignature, 'checkpoint') || typeof cosignature.checkpoint !== 'string') return [];
  return [{ kind: 'checkpoint', name, text: cosignature.checkpoint }];
}

function has<K extends string>(value: unknown, ...names: readonly K[]): value is Record<K, unknown> {
  return typeof value === 'object' && value !== null && names.every((name) => Object.hasOwn(value, name));
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a filing's own bytes are taken to be, whichever way they came. */
export function spellingsOf(found: FoundOf<'content'> | FoundOf<'payload'>): readonly Uint8Array[] {
  if (found.kind === 'payload') return found.spellings;
  const value = tryJson(found.content);
  const bulk = has(value, 'manifest', 'payload') ? value.payload : undefined;
  if (typeof bulk === 'string') return [Buffer.from(bulk, 'base64url')];
  const payload = parseContent(found.content)?.payload;
  return payload === undefined ? [] : [payload];
}

/** In words, for headings. */
export const KIND_WORDS: Readonly<Record<Exclude<Found['kind'], 'keys'>, Text>> = {
  receipt: { zh: '回执', en: 'receipt' },
  content: { zh: '申报原文', en: 'filing as submitted' },
  payload: { zh: '申报内容', en: 'content of a filing' },
  proof: { zh: '日志存在证明', en: 'proof of inclusion' },
  checkpoint: { zh: '检查点', en: 'checkpoint' },
  consistency: { zh: '一致性证明', en: 'proof of consistency' },
  entries: { zh: '机关日志条目', en: 'part of an office’s log' },
  'national-entries': { zh: '全国日志条目', en: 'part of the national log' },
};
