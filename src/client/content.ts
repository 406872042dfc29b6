import type { Hash } from '../log/merkle.ts';
import { type FlattenedJws, isObject, type ParsedJws, verifyJws } from './jws.ts';
import type { Jwks } from './keys.ts';
import { type ManifestLine, manifestLine, parseContent } from './leaf.ts';
import { CONTENT_WORDS } from './proof-words.ts';
import { checkContent, type ReceiptStep, receiptFacts } from './receipt.ts';
import { RECEIPT_WORDS } from './receipt-words.ts';
import { sha256 } from './sha256.ts';
import { StepList, type VerificationStep } from './steps.ts';

/** Bulk form B, as `GET /v1/filings/{id}/content` answers it: a line of an upload and what its signature is over. */
export interface BulkContent {
  /** base64url. */
  readonly payload: string;
  /** Compact JWS. */
  readonly manifest: string;
  readonly line: number;
  readonly path: readonly string[];
}

export type ContentStep = keyof typeof CONTENT_WORDS | Extract<ReceiptStep, 'digest' | 'leaf' | 'content'>;

export type ContentReport =
  | {
      readonly ok: true;
      readonly steps: readonly VerificationStep<ContentStep>[];
      /** What the filer signed. */
      readonly payload: Uint8Array;
    }
  | {
      readonly ok: false;
      readonly steps: readonly VerificationStep<ContentStep>[];
      /** The step that failed. */
      readonly reason: ContentStep;
    };

export interface ContentOptions {
  /** The filer's public keys: adds that the filer signed this. */
  readonly keys?: Jwks;
  /** Adds that the content is the receipt's. Verify the receipt as well. */
  readonly receipt?: unknown;
  readonly hash?: Hash;
}

/** Verifies a filing's own bytes (`GET /v1/filings/{id}/content`): a JWS, or an object of bulk form B; or the text of either. */
export async function verifyContent(
  content: string | FlattenedJws | BulkContent,
  { keys, receipt, hash = sha256 }: ContentOptions = {},
): Promise<ContentReport> {
  const list = new StepList<ContentStep>({ ...RECEIPT_WORDS, ...CONTENT_WORDS });
  const refused = (): ContentReport => ({ ok: false, steps: list.steps, reason: list.failed ?? 'form' });
  const opened = openContent(content, hash, list);
  if (opened === undefined) return refused();
  if (receipt !== undefined) {
    const facts = receiptFacts(receipt);
    if (facts === undefined) list.check('content', false);
    else checkContent(hash, facts, opened.payload, list);
    if (list.failed !== undefined) return refused();
  }
  if (keys !== undefined) {
    const verdict = await verifyJws(opened.jws, keys);
    if (!list.check('key', verdict !== 'unknown-key') || !list.check('signature', verdict === 'ok')) return refused();
  }
  return { ok: true, steps: list.steps, payload: opened.payload };
}

interface OpenedContent {
  readonly payload: Uint8Array;
  readonly jws: ParsedJws;
}

function openContent(
  content: string | FlattenedJws | BulkContent,
  hash: Hash,
  list: StepList<ContentStep>,
): OpenedContent | undefined {
  const bulk = bulkIn(content);
  if (bulk !== undefined) {
    list.check('form', true);
    const line = manifestLine(hash, bulk);
    return list.check('line', line !== undefined) ? line : undefined;
  }
  const jws = parseContent(content as string | FlattenedJws);
  return list.check('form', jws !== undefined) && jws !== undefined ? { payload: jws.payload, jws } : undefined;
}

/** Form B is told by its manifest: a flattened JWS has a `payload` too. */
function bulkIn(content: unknown): ManifestLine | undefined {
  const value = typeof content === 'string' && content.startsWith('{') ? parsed(content) : content;
  if (!isObject(value) || !('manifest' in value)) return undefined;
  return { payload: value.payload, manifest: value.manifest, line: value.line, path: value.path };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
