import type { Receipt, ReceiptStatement, TickRoot } from '../domain/statement.ts';
import { type Hash, leafHash, verifyInclusion } from '../log/merkle.ts';
import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { canonicalJson, type Json } from '../std/canonical.ts';
import { isObject, parseJws, parseObject, verifyJws } from './jws.ts';
import type { Jwks } from './keys.ts';
import { leafText } from './leaf.ts';
import { RECEIPT_WORDS } from './receipt-words.ts';
import { sha256 } from './sha256.ts';
import { StepList, type VerificationStep } from './steps.ts';

export interface ReceiptReport {
  /** True when every step is. */
  readonly ok: boolean;
  /** In order, up to and including the first one that fails. */
  readonly steps: readonly VerificationStep<ReceiptStep>[];
  /** What the receipt states; to be believed only when `ok`. */
  readonly statement?: ReceiptStatement;
  /** When the gateway signed, RFC 3339. */
  readonly signedAt?: string;
}

export interface ReceiptOptions {
  /** The filing's payload: adds that the receipt is for exactly these bytes. */
  readonly payloadBytes?: Uint8Array;
  /** Adds that the receipt is from this gateway and not from another one that shares its keys. */
  readonly issuer?: string;
  readonly hash?: Hash;
}

export type ReceiptStep = keyof typeof RECEIPT_WORDS;

/**
 * Verifies a receipt with the gateway's public keys (`GET /.well-known/jwks.json`) and nothing else; offline, when you
 * kept them. Stops at the first step that fails. Takes both forms: the JSON receipt, and the compact JWS over its
 * statement, which has no salt and so cannot show the leaf.
 */
export async function verifyReceipt(
  receipt: unknown,
  jwks: Jwks,
  options: ReceiptOptions = {},
): Promise<ReceiptReport> {
  const list = new StepList<ReceiptStep>(RECEIPT_WORDS);
  const { steps } = list;
  const hash = options.hash ?? sha256;
  if (typeof receipt === 'string') return verifySignedStatement(receipt.trim(), jwks, options, hash, list);
  const parts = openReceipt(receipt);
  if (!list.check('form', parts !== undefined) || parts === undefined) return { ok: false, steps };
  const { statement, signed } = parts;
  const facts = { steps, statement, signedAt: signed.at };

  const verdict = await verifyJws(parts.jws, jwks);
  const ok =
    list.check('key', verdict !== 'unknown-key') &&
    list.check('signature', verdict === 'ok') &&
    list.check('issuer', statement.iss === signed.iss && (options.issuer ?? signed.iss) === signed.iss, {
      computed: statement.iss,
      stated: options.issuer ?? signed.iss,
    }) &&
    list.check('tree', signed.treeSize === parts.treeSize && standsInTree(hash, parts)) &&
    checkId(statement, list) &&
    (options.payloadBytes === undefined || checkContent(hash, parts, options.payloadBytes, list));
  return { ok, ...facts };
}

type Steps = StepList<ReceiptStep>;

async function verifySignedStatement(
  text: string,
  jwks: Jwks,
  { issuer, payloadBytes }: ReceiptOptions,
  hash: Hash,
  list: Steps,
): Promise<ReceiptReport> {
  const { steps } = list;
  const jws = parseJws(text);
  // The type keeps what the gateway signed for another purpose from passing as a receipt.
  const statement = jws?.header.typ === 'receipt+jws' ? openStatement(parseObject(jws.payload)) : undefined;
  if (!list.check('form', statement !== undefined) || statement === undefined) return { ok: false, steps };
  const verdict = await verifyJws(jws, jwks);
  const ok =
    list.check('key', verdict !== 'unknown-key') &&
    list.check('signature', verdict === 'ok') &&
    list.same('issuer', statement.iss, issuer ?? statement.iss) &&
    checkId(statement, list) &&
    (payloadBytes === undefined || checkContent(hash, { statement }, payloadBytes, list));
  return { ok, steps, statement };
}

function checkId({ id, office, index }: ReceiptStatement, list: Steps): boolean {
  return list.same('id', `${office}.${index}`, id);
}

/** Undefined when a member is missing or not of its type. */
function openStatement(value: unknown): ReceiptStatement | undefined {
  if (!isObject(value) || !STATEMENT_TEXTS.every((name) => typeof value[name] === 'string')) return undefined;
  if (!Number.isSafeInteger(value.index) || !isObject(value.period)) return undefined;
  return value as unknown as ReceiptStatement;
}

interface OpenedReceipt {
  readonly statement: ReceiptStatement;
  readonly salt: Uint8Array;
  readonly path: readonly Uint8Array[];
  readonly leafIndex: number;
  readonly treeSize: number;
  readonly jws: ReturnType<typeof parseJws>;
  readonly signed: TickRoot;
  readonly root: Uint8Array;
}

const RECEIPT_MEMBERS = ['leafIndex', 'path', 'salt', 'signature', 'statement', 'treeSize'];
const STATEMENT_TEXTS = [
  'iss',
  'env',
  'id',
  'office',
  'type',
  'version',
  'filer',
  'kind',
  'digest',
  'leaf',
  'receivedAt',
];

/** Everything decoded, or undefined when a member is missing, unknown, or not in its one proper form. */
function openReceipt(receipt: unknown): OpenedReceipt | undefined {
  if (!isObject(receipt) || Object.keys(receipt).sort().join() !== RECEIPT_MEMBERS.join()) return undefined;
  const { salt, path, leafIndex, treeSize, signature } = receipt as unknown as Receipt;
  const statement = openStatement(receipt.statement);
  if (!Number.isSafeInteger(leafIndex) || !Number.isSafeInteger(treeSize) || !Array.isArray(path)) return undefined;
  const saltBytes = typeof salt === 'string' ? decodeBase64url(salt) : undefined;
  const hashes = path.map((step) => (typeof step === 'string' ? decodeBase64url(step) : undefined));
  const jws = typeof signature === 'string' ? parseJws(signature) : undefined;
  const signed = openRoot(jws?.payload);
  if (statement === undefined || signed === undefined) return undefined;
  if (saltBytes?.length !== 16 || !hashes.every((step) => step?.length === 32)) return undefined;
  return {
    statement,
    salt: saltBytes,
    path: hashes as Uint8Array[],
    leafIndex,
    treeSize,
    jws,
    ...signed,
  };
}

function openRoot(payload: Uint8Array | undefined): { signed: TickRoot; root: Uint8Array } | undefined {
  const signed = payload && parseObject(payload);
  if (signed === undefined || typeof signed.iss !== 'string' || typeof signed.at !== 'string') return undefined;
  const root = typeof signed.root === 'string' ? decodeBase64url(signed.root) : undefined;
  return root?.length === 32 ? { signed: signed as unknown as TickRoot, root } : undefined;
}

function standsInTree(hash: Hash, receipt: OpenedReceipt): boolean {
  const { leafIndex: index, treeSize: size, path, root } = receipt;
  try {
    const text = canonicalJson(receipt.statement as unknown as Json);
    return verifyInclusion(hash, { leaf: leafHash(hash, new TextEncoder().encode(text)), index, size, path, root });
  } catch {
    // A lone surrogate has no canonical form, so no such statement was ever signed.
    return false;
  }
}

/** What a receipt says, of either form; nothing is verified. The compact one has no salt. */
export interface ReceiptFacts {
  readonly statement: ReceiptStatement;
  readonly salt?: Uint8Array;
}

/** Undefined for what has not the form of a receipt. */
export function receiptFacts(receipt: unknown): ReceiptFacts | undefined {
  if (typeof receipt !== 'string') return openReceipt(receipt);
  const jws = parseJws(receipt.trim());
  const statement = jws?.header.typ === 'receipt+jws' ? openStatement(parseObject(jws.payload)) : undefined;
  return statement && { statement };
}

/** Whether a payload is the one that a receipt is for; the leaf only where the receipt has a salt. */
export function checkContent<Name extends string>(
  hash: Hash,
  { statement, salt }: ReceiptFacts,
  payload: Uint8Array,
  list: StepList<Name | 'digest' | 'leaf' | 'content'>,
): boolean {
  return (
    list.same('digest', encodeBase64url(hash(payload)), statement.digest) &&
    (salt === undefined || list.same('leaf', leafText(hash, { ...statement, salt, payload }), statement.leaf)) &&
    list.check('content', sameContent(parseObject(payload), statement))
  );
}

const SAME_MEMBERS = ['type', 'filer', 'period', 'reference', 'kind', 'supersedes'] as const;

/** `version` and `office` may be left out of a payload; where they stand they must agree. */
function sameContent(payload: Readonly<Record<string, unknown>> | undefined, statement: ReceiptStatement): boolean {
  if (payload === undefined) return false;
  try {
    const form = (value: unknown): string => (value === undefined ? '' : canonicalJson(value as Json));
    return (
      SAME_MEMBERS.every((name) => form(payload[name]) === form(statement[name])) &&
      (['version', 'office'] as const).every((name) => payload[name] === undefined || payload[name] === statement[name])
    );
  } catch {
    // A lone surrogate has no canonical form: no such filing was ever accepted.
    return false;
  }
}
