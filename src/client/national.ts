import { type Hash, leafHash } from '../log/merkle.ts';
import { decodeBase64, encodeBase64url } from '../std/base64.ts';
import { openHead, type Recovery, sizeIn } from './head.ts';
import type { Jwks } from './keys.ts';
import { type CheckedHead, verifyCheckpoint } from './note.ts';
import { type ParsedProof, PROOF_STEPS, type ProofStep, parseProof, stands } from './proof.ts';
import { NATIONAL_WORDS } from './proof-words.ts';
import { sha256 } from './sha256.ts';
import { StepList, type VerificationStep } from './steps.ts';

/** What an entry of the national log says. Roots and hashes are base64url. */
export type NationalEntry =
  | {
      readonly kind: 'office';
      /** `<issuer without scheme>/offices/<office>`. */
      readonly origin: string;
      readonly size: number;
      readonly root: string;
      readonly recoveries: readonly Recovery[];
    }
  | {
      readonly kind: 'recovery';
      readonly origin: string;
      readonly recovery: Recovery;
      readonly keptRoot: string;
      readonly at: string;
    }
  | { readonly kind: 'trail'; readonly n: number; readonly hash: string };

const NATIONAL = '/national';
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** Undefined unless `text` is an entry of the national log `origin`, `<issuer without scheme>/national`. */
export function parseNationalEntry(text: string, origin: string): NationalEntry | undefined {
  if (!origin.endsWith(NATIONAL) || !text.endsWith('\n')) return undefined;
  const base = origin.slice(0, -NATIONAL.length);
  const lines = text.slice(0, -1).split('\n');
  if (lines[0] === `${base}/trail`) return parseTrail(lines);
  // The national log can be recovered as any other.
  if (lines[0] === origin && lines[1] === 'recovered') return parseRecovery(lines);
  const office = lines[0]?.startsWith(`${base}/offices/`) ? lines[0].slice(`${base}/offices/`.length) : '';
  if (office === '' || office.includes('/')) return undefined;
  if (lines[1] === 'recovered') return parseRecovery(lines);
  const head = openHead(text);
  return head && { kind: 'office', ...head, root: encodeBase64url(head.root) };
}

function parseTrail([, count, text, ...more]: readonly string[]): NationalEntry | undefined {
  const n = sizeIn(count);
  const hash = decodeBase64(text ?? '');
  if (more.length > 0 || n === undefined || hash?.length !== 32) return undefined;
  return { kind: 'trail', n, hash: encodeBase64url(hash) };
}

function parseRecovery([origin = '', , ...facts]: readonly string[]): NationalEntry | undefined {
  const [kept, lost] = facts.slice(0, 2).map(parseTree);
  const at = facts[2];
  if (facts.length !== 3 || kept === undefined || lost === undefined || !INSTANT.test(at ?? '')) return undefined;
  const recovery = { kept: kept.size, lost: lost.size, lostRoot: lost.root };
  return { kind: 'recovery', origin, recovery, keptRoot: kept.root, at: at as string };
}

function parseTree(line: string): { size: number; root: string } | undefined {
  const [count, text, ...more] = line.split(' ');
  const size = sizeIn(count);
  const root = decodeBase64(text ?? '');
  return more.length > 0 || size === undefined || root?.length !== 32
    ? undefined
    : { size, root: encodeBase64url(root) };
}

export type NationalStep = ProofStep | keyof typeof NATIONAL_WORDS;

export type NationalReport =
  | {
      readonly ok: true;
      readonly steps: readonly VerificationStep<NationalStep>[];
      readonly index: number;
      readonly entry: NationalEntry;
      /** The national tree that the entry stands in. */
      readonly head: CheckedHead;
    }
  | {
      readonly ok: false;
      readonly steps: readonly VerificationStep<NationalStep>[];
      /** The step that failed. */
      readonly reason: NationalStep;
    };

export interface NationalOptions {
  /** The national log: `<issuer without scheme>/national`. */
  readonly origin: string;
  /** Origin of an office's log: adds that the entry is about it. */
  readonly office?: string;
  readonly hash?: Hash;
}

/**
 * Verifies that an entry stands in the national log (`GET /v1/national/proofs/{office}`), with the gateway's public keys
 * and nothing else. The entry's text comes in the proof's `extra` line; that the tree holds its hash is what vouches for it.
 */
export async function verifyNationalProof(
  proof: string,
  jwks: Jwks,
  { origin, office, hash = sha256 }: NationalOptions,
): Promise<NationalReport> {
  const list = new StepList<NationalStep>({ ...PROOF_STEPS, ...NATIONAL_WORDS });
  const refused = (): NationalReport => ({ ok: false, steps: list.steps, reason: list.failed ?? 'proof' });
  const parsed = parseProof(proof);
  if (!list.check('proof', parsed?.extra !== undefined) || parsed?.extra === undefined) return refused();
  const entry = entryIn(parsed, origin);
  if (!list.check('entry', entry !== undefined) || entry === undefined) return refused();
  if (office !== undefined && !list.same('office', entry.kind === 'trail' ? '' : entry.origin, office))
    return refused();
  const report = await verifyCheckpoint(parsed.checkpoint, jwks, { origin, hash });
  list.steps.push(...report.steps);
  if (!report.ok) return refused();
  const { ok: _, steps: __, ...head } = report;
  const leaf = leafHash(hash, parsed.extra);
  if (!stands(leaf, parsed, head, hash, list)) return refused();
  return { ok: true, steps: list.steps, index: parsed.index, entry, head };
}

function entryIn({ extra }: ParsedProof, origin: string): NationalEntry | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(extra);
    return parseNationalEntry(text, origin);
  } catch {
    return undefined;
  }
}
