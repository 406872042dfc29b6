import { logOrigin } from '../log/checkpoint.ts';
import { type Hash, verifyInclusion } from '../log/merkle.ts';
import { decodeBase64, decodeBase64url } from '../std/base64.ts';
import { CHECKPOINT_WORDS } from './checkpoint-words.ts';
import { ShenbaoError } from './errors.ts';
import { sizeIn } from './head.ts';
import type { Jwks } from './keys.ts';
import { leafText } from './leaf.ts';
import { type CheckedHead, verifyCheckpoint } from './note.ts';
import { PROOF_WORDS } from './proof-words.ts';
import { receiptFacts } from './receipt.ts';
import { sha256 } from './sha256.ts';
import { StepList, type VerificationStep } from './steps.ts';

/** A tlog-proof taken apart; nothing is verified yet. */
export interface ParsedProof {
  readonly index: number;
  /** Says nothing by itself: no signature covers it. */
  readonly extra?: Uint8Array;
  /** From the leaf's sibling upwards, 32 bytes each. */
  readonly path: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

const FORMAT = 'c2sp.org/tlog-proof@v1';
const EXTRA = 'extra ';
const INDEX = 'index ';

/** Undefined unless `text` has the form of a C2SP tlog-proof. */
export function parseProof(text: string): ParsedProof | undefined {
  const gap = text.indexOf('\n\n');
  if (gap < 0) return undefined;
  const [format, ...rest] = text.slice(0, gap).split('\n');
  const extra = rest[0]?.startsWith(EXTRA) ? decodeBase64(rest[0].slice(EXTRA.length)) : undefined;
  if (rest[0]?.startsWith(EXTRA)) {
    if (extra === undefined) return undefined;
    rest.shift();
  }
  const [first, ...steps] = rest;
  const index = first?.startsWith(INDEX) ? sizeIn(first.slice(INDEX.length)) : undefined;
  const path = steps.map(decodeBase64);
  if (format !== FORMAT || index === undefined || !path.every((step) => step?.length === 32)) return undefined;
  const facts = { index, path: path as Uint8Array[], checkpoint: text.slice(gap + 2) };
  return extra === undefined ? facts : { ...facts, extra };
}

/** The filing that a proof must be about. Of `leaf` and `content` one is needed; with both they must agree. */
export interface ProvedFiling {
  /** The office's log: `<issuer without scheme>/offices/<office>`. */
  readonly origin: string;
  readonly index: number;
  /** base64url, as a receipt states it. */
  readonly leaf?: string;
  /** What the leaf is computed from. */
  readonly content?: {
    readonly receivedAt: string;
    /** 16 bytes. */
    readonly salt: Uint8Array;
    readonly payload: Uint8Array;
  };
}

export type ProofStep = keyof typeof PROOF_WORDS | keyof typeof CHECKPOINT_WORDS;
export const PROOF_STEPS = { ...CHECKPOINT_WORDS, ...PROOF_WORDS };

export type ProofReport =
  | {
      readonly ok: true;
      readonly steps: readonly VerificationStep<ProofStep>[];
      readonly index: number;
      /** The tree that the filing stands in. */
      readonly head: CheckedHead;
    }
  | {
      readonly ok: false;
      readonly steps: readonly VerificationStep<ProofStep>[];
      /** The step that failed. */
      readonly reason: ProofStep;
    };

export interface ProofOptions {
  /** The office's public keys: adds that at least one of them cosigned the checkpoint. */
  readonly cosigners?: Jwks;
  readonly hash?: Hash;
}

/**
 * Verifies that a filing stands in its office's log (`GET /v1/filings/{id}/proof`), with the gateway's public keys and
 * nothing else. Stops at the first step that fails.
 */
export async function verifyProof(
  proof: string,
  jwks: Jwks,
  filing: ProvedFiling,
  { cosigners, hash = sha256 }: ProofOptions = {},
): Promise<ProofReport> {
  const list = new StepList<ProofStep>(PROOF_STEPS);
  const refused = (): ProofReport => ({ ok: false, steps: list.steps, reason: list.failed ?? 'proof' });
  const parsed = parseProof(proof);
  if (!list.check('proof', parsed !== undefined) || parsed === undefined) return refused();
  if (!list.same('index', String(parsed.index), String(filing.index))) return refused();
  const leaf = leafIn(filing, hash, list);
  if (leaf === undefined) return refused();
  const { origin } = filing;
  const report = await verifyCheckpoint(parsed.checkpoint, jwks, { origin, hash, ...(cosigners && { cosigners }) });
  list.steps.push(...report.steps);
  if (!report.ok) return refused();
  const { ok: _, steps: __, ...head } = report;
  return stands(leaf, parsed, head, hash, list)
    ? { ok: true, steps: list.steps, index: parsed.index, head }
    : refused();
}

/** Whether a leaf stands where a proof says, in the tree of a verified head. */
export function stands<Name extends string>(
  leaf: Uint8Array,
  { index, path }: ParsedProof,
  { size, root }: CheckedHead,
  hash: Hash,
  list: StepList<Name | 'inclusion'>,
): boolean {
  const claim = { leaf, index, size, path, root: decodeBase64url(root) ?? new Uint8Array(0) };
  return list.check('inclusion', verifyInclusion(hash, claim));
}

function leafIn(filing: ProvedFiling, hash: Hash, list: StepList<ProofStep>): Uint8Array | undefined {
  const { content, index, origin } = filing;
  const stated = filing.leaf === undefined ? undefined : (decodeBase64url(filing.leaf) ?? new Uint8Array(0));
  if (content === undefined) {
    if (stated === undefined) throw new ShenbaoError('usage', 'a proof needs the filing’s leaf, or its content');
    return stated;
  }
  const office = origin.slice(origin.lastIndexOf('/') + 1);
  const computed = leafText(hash, { id: `${office}.${index}`, office, index, ...content });
  return list.same('leaf', computed, filing.leaf ?? computed) ? decodeBase64url(computed) : undefined;
}

/**
 * What a receipt says about its filing's place in the log, for {@link verifyProof}; with the payload the leaf is computed
 * from it too. Undefined for what has not the form of a receipt. Verify the receipt as well.
 */
export function filingOfReceipt(receipt: unknown, payload?: Uint8Array): ProvedFiling | undefined {
  const facts = receiptFacts(receipt);
  if (facts === undefined) return undefined;
  const { statement, salt } = facts;
  const { index, leaf, receivedAt, office } = statement;
  const origin = logOrigin(statement.iss, office);
  if (payload === undefined || salt === undefined) return { origin, index, leaf };
  return { origin, index, leaf, content: { receivedAt, salt, payload } };
}
