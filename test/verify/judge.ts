import { type Jwks, verifyCheckpoint, verifyReceipt } from '../../src/client/client.ts';
import { type ParsedJws, parseJws, verifyJws } from '../../src/client/jws.ts';
import { parseContent } from '../../src/client/leaf.ts';
import { LogReader } from '../../src/client/pull.ts';
import { sha256 } from '../../src/client/sha256.ts';
import type { Entry } from '../../src/client/types.ts';
import { fullSubtrees, verifyConsistency, verifyInclusion } from '../../src/log/merkle.ts';
import { decodeBase64, decodeBase64url } from '../../src/std/base64.ts';
import { bytesOf, type Case, type CaseOf, type Verdict } from './cases.ts';

// The client's own verifiers, asked the same questions as verify.py.

const OK: Verdict = { ok: true };
const refused = (reason: string): Verdict => ({ ok: false, reason });

function textOf(base64: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(base64));
  } catch {
    return undefined;
  }
}

function json(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

async function signer(jws: ParsedJws | undefined, jwks: Jwks): Promise<Verdict> {
  const verdict = await verifyJws(jws, jwks);
  if (verdict === 'ok') return OK;
  return refused(verdict === 'unknown-key' ? 'key' : 'signature');
}

async function receipt(input: CaseOf<'receipt'>): Promise<Verdict> {
  const text = textOf(input.receipt)?.replace(/^[ \t\r\n]+/, '');
  const value = text === undefined || text.startsWith('{') ? json(text) : text;
  const options = {
    ...(input.payload === undefined ? {} : { payloadBytes: new Uint8Array(bytesOf(input.payload)) }),
    ...(input.issuer === undefined ? {} : { issuer: input.issuer }),
  };
  const report = await verifyReceipt(value, input.jwks, options);
  return report.ok ? OK : refused(report.steps.at(-1)?.step ?? 'none');
}

async function filing(input: CaseOf<'filing'>): Promise<Verdict> {
  const jws = parseContent(textOf(input.jws) ?? '');
  return jws === undefined ? refused('form') : signer(jws, input.jwks);
}

async function checkpoint(input: CaseOf<'checkpoint'>): Promise<Verdict> {
  const note = textOf(input.note);
  if (note === undefined) return refused('signature');
  const report = await verifyCheckpoint(note, input.jwks, { origin: input.origin });
  return report.ok ? OK : refused(report.reason);
}

/** The client has no verb for a tlog-proof: its parts are taken apart here and given to the verbs that it has. */
async function proof(input: CaseOf<'proof'>): Promise<Verdict> {
  const bytes = bytesOf(input.proof);
  const gap = bytes.indexOf('\n\n');
  const [format, index, ...steps] = bytes.subarray(0, Math.max(gap, 0)).toString('latin1').split('\n');
  const path = steps.map(decodeBase64);
  const isProof = gap >= 0 && format === 'c2sp.org/tlog-proof@v1' && index === `index ${input.index}`;
  if (!isProof || !path.every((step) => step?.length === 32)) return refused('form');
  const note = textOf(bytes.subarray(gap + 2).toString('base64'));
  if (note === undefined) return refused('signature');
  const head = await verifyCheckpoint(note, input.jwks, { origin: input.origin });
  if (!head.ok) return refused(head.reason);
  const [leaf, root] = [input.leaf, head.root].map(decodeBase64url) as [Uint8Array, Uint8Array];
  const claim = { leaf, index: input.index, size: head.size, path: path as Uint8Array[], root };
  return verifyInclusion(sha256, claim) ? OK : refused('inclusion');
}

function consistency(input: CaseOf<'consistency'>): Verdict {
  const path = input.path.map(decodeBase64url);
  const [oldRoot, root] = [input.oldRoot, input.root].map(decodeBase64url);
  const isWhole = oldRoot?.length === 32 && root?.length === 32 && path.every((step) => step !== undefined);
  if (!isWhole) return refused('consistency');
  const claim = { oldSize: input.oldSize, oldRoot, size: input.size, root, path: path as Uint8Array[] };
  return verifyConsistency(sha256, claim) ? OK : refused('consistency');
}

/** As the reader of a log takes it that has read everything before it. */
async function entry(input: CaseOf<'entry'>): Promise<Verdict> {
  const value = json(textOf(input.entry)) as Entry;
  const subtrees = fullSubtrees({ start: 0, end: input.index }).map(() => 'A'.repeat(43));
  try {
    new LogReader(sha256, input.office, { size: input.index, subtrees }).take(value);
  } catch {
    return refused('entry');
  }
  return signer(value.jws === undefined ? parseJws(value.manifest as string) : parseContent(value.jws), input.jwks);
}

const JUDGES = { receipt, filing, checkpoint, proof, consistency, entry } as const;

/** What `src/client` says about a case. */
export async function judge(input: Case): Promise<Verdict> {
  return (JUDGES[input.kind] as (value: Case) => Verdict | Promise<Verdict>)(input);
}
