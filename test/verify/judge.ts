import {
  type Jwks,
  verifyCheckpoint,
  verifyContent,
  verifyNationalProof,
  verifyProof,
  verifyReceipt,
} from '../../src/client/client.ts';
import { type ParsedJws, parseJws, verifyJws } from '../../src/client/jws.ts';
import { parseContent } from '../../src/client/leaf.ts';
import { LogReader } from '../../src/client/pull.ts';
import { sha256 } from '../../src/client/sha256.ts';
import type { Entry } from '../../src/client/types.ts';
import { fullSubtrees, verifyConsistency } from '../../src/log/merkle.ts';
import { decodeBase64url } from '../../src/std/base64.ts';
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

/** The JSON receipt as a value, the compact one as text. */
function receiptIn(base64: string): unknown {
  const text = textOf(base64)?.replace(/^[ \t\r\n]+/, '');
  return text === undefined || text.startsWith('{') ? json(text) : text;
}

async function receipt(input: CaseOf<'receipt'>): Promise<Verdict> {
  const options = {
    ...(input.payload === undefined ? {} : { payloadBytes: new Uint8Array(bytesOf(input.payload)) }),
    ...(input.issuer === undefined ? {} : { issuer: input.issuer }),
  };
  const report = await verifyReceipt(receiptIn(input.receipt), input.jwks, options);
  return report.ok ? OK : refused(report.steps.at(-1)?.step ?? 'none');
}

type Reported = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const verdict = (report: Reported): Verdict => (report.ok ? OK : refused(report.reason));

async function content(input: CaseOf<'content'>): Promise<Verdict> {
  const options = {
    ...(input.jwks === undefined ? {} : { keys: input.jwks }),
    // What is no receipt at all must not be taken for none given.
    ...(input.receipt === undefined ? {} : { receipt: receiptIn(input.receipt) ?? null }),
  };
  return verdict(await verifyContent(textOf(input.content) ?? '', options));
}

async function checkpoint(input: CaseOf<'checkpoint'>): Promise<Verdict> {
  const { origin, cosigners, older } = input;
  const options = {
    origin,
    ...(cosigners && { cosigners }),
    ...(older && { older: { note: textOf(older.note) ?? '', path: older.path } }),
  };
  return verdict(await verifyCheckpoint(textOf(input.note) ?? '', input.jwks, options));
}

async function proof(input: CaseOf<'proof'>): Promise<Verdict> {
  const { origin, index, leaf, cosigners } = input;
  const filing = {
    origin,
    index,
    ...(leaf === undefined ? {} : { leaf }),
    ...(input.content && {
      content: {
        receivedAt: input.content.receivedAt,
        salt: new Uint8Array(bytesOf(input.content.salt)),
        payload: new Uint8Array(bytesOf(input.content.payload)),
      },
    }),
  };
  return verdict(await verifyProof(textOf(input.proof) ?? '', input.jwks, filing, cosigners && { cosigners }));
}

async function national({ proof: text, jwks, origin, office }: CaseOf<'national'>): Promise<Verdict> {
  const options = { origin, ...(office === undefined ? {} : { office }) };
  return verdict(await verifyNationalProof(textOf(text) ?? '', jwks, options));
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

const JUDGES = { receipt, content, checkpoint, proof, national, consistency, entry } as const;

/** What `src/client` says about a case. */
export async function judge(input: Case): Promise<Verdict> {
  return (JUDGES[input.kind] as (value: Case) => Verdict | Promise<Verdict>)(input);
}
