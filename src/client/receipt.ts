import type { Receipt, ReceiptStatement, TickRoot } from '../domain/statement.ts';
import { type Hash, leafHash, verifyInclusion } from '../log/merkle.ts';
import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { canonicalJson, type Json } from '../std/canonical.ts';
import type { Text } from '../std/text.ts';
import { isObject, parseJws, parseObject, verifyJws } from './jws.ts';
import type { Jwks } from './keys.ts';
import { officeLeaf } from './leaf.ts';
import { sha256 } from './sha256.ts';

/** One thing that was checked, in words. */
export interface VerificationStep {
  readonly step: ReceiptStep;
  readonly ok: boolean;
  readonly text: Text;
}

export interface ReceiptReport {
  /** True when every step is. */
  readonly ok: boolean;
  /** In order, up to and including the first one that fails. */
  readonly steps: readonly VerificationStep[];
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

const STEPS = {
  form: { zh: '回执的形式完整', en: 'the receipt has every part in its proper form' },
  key: { zh: '签名所用的密钥是网关公布的密钥', en: 'the key of the signature is one that the gateway published' },
  signature: { zh: '网关的签名有效', en: 'the gateway’s signature is valid' },
  issuer: { zh: '签发者与声明一致', en: 'the issuer is the one that the statement names' },
  tree: { zh: '声明在签名所覆盖的默克尔树中', en: 'the statement stands in the tree that the signature covers' },
  id: { zh: '申报编号与机关、序号一致', en: 'the filing’s id is made of its office and index' },
  digest: { zh: '申报内容的摘要与回执一致', en: 'the filing’s content has the digest that the receipt states' },
  leaf: { zh: '申报内容与机关日志中的叶子一致', en: 'the filing’s content opens its leaf in the office’s log' },
  content: { zh: '申报内容的各要素与回执一致', en: 'the filing’s own members are those that the receipt states' },
} as const satisfies Record<string, Text>;

export type ReceiptStep = keyof typeof STEPS;

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
  const steps: VerificationStep[] = [];
  const check: Check = (step, ok) => {
    steps.push({ step, ok, text: STEPS[step] });
    return ok;
  };
  const hash = options.hash ?? sha256;
  if (typeof receipt === 'string') return verifySignedStatement(receipt.trim(), jwks, options, { hash, steps, check });
  const parts = openReceipt(receipt);
  if (!check('form', parts !== undefined) || parts === undefined) return { ok: false, steps };
  const { statement, signed } = parts;
  const facts = { steps, statement, signedAt: signed.at };

  const verdict = await verifyJws(parts.jws, jwks);
  const ok =
    check('key', verdict !== 'unknown-key') &&
    check('signature', verdict === 'ok') &&
    check('issuer', statement.iss === signed.iss && (options.issuer ?? signed.iss) === signed.iss) &&
    check('tree', signed.treeSize === parts.treeSize && standsInTree(hash, parts)) &&
    check('id', statement.id === `${statement.office}.${statement.index}`) &&
    (options.payloadBytes === undefined || checkPayload(hash, parts, options.payloadBytes, check));
  return { ok, ...facts };
}

type Check = (step: ReceiptStep, ok: boolean) => boolean;

async function verifySignedStatement(
  text: string,
  jwks: Jwks,
  { issuer, payloadBytes }: ReceiptOptions,
  { hash, steps, check }: { hash: Hash; steps: VerificationStep[]; check: Check },
): Promise<ReceiptReport> {
  const jws = parseJws(text);
  // The type keeps what the gateway signed for another purpose from passing as a receipt.
  const statement = jws?.header.typ === 'receipt+jws' ? openStatement(parseObject(jws.payload)) : undefined;
  if (!check('form', statement !== undefined) || statement === undefined) return { ok: false, steps };
  const verdict = await verifyJws(jws, jwks);
  const ok =
    check('key', verdict !== 'unknown-key') &&
    check('signature', verdict === 'ok') &&
    check('issuer', (issuer ?? statement.iss) === statement.iss) &&
    check('id', statement.id === `${statement.office}.${statement.index}`) &&
    (payloadBytes === undefined ||
      (check('digest', encodeBase64url(hash(payloadBytes)) === statement.digest) &&
        check('content', sameContent(parseObject(payloadBytes), statement))));
  return { ok, steps, statement };
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

function checkPayload(hash: Hash, { statement, salt }: OpenedReceipt, payload: Uint8Array, check: Check): boolean {
  const { id, office, index, receivedAt } = statement;
  return (
    check('digest', encodeBase64url(hash(payload)) === statement.digest) &&
    check(
      'leaf',
      encodeBase64url(officeLeaf(hash, { id, office, index, receivedAt, salt, payload })) === statement.leaf,
    ) &&
    check('content', sameContent(parseObject(payload), statement))
  );
}

const SAME_MEMBERS = ['type', 'filer', 'period', 'reference', 'kind', 'supersedes'] as const;

/** `version` and `office` may be left out of a payload; where they stand they must agree. */
function sameContent(payload: Readonly<Record<string, unknown>> | undefined, statement: ReceiptStatement): boolean {
  if (payload === undefined) return false;
  const form = (value: unknown): string => (value === undefined ? '' : canonicalJson(value as Json));
  return (
    SAME_MEMBERS.every((name) => form(payload[name]) === form(statement[name])) &&
    (['version', 'office'] as const).every((name) => payload[name] === undefined || payload[name] === statement[name])
  );
}
