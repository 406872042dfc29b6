import {
  filingOfReceipt,
  type Jwks,
  type NationalEntry,
  payloadDigest,
  type VerificationStep,
  verifyCheckpoint,
  verifyContent,
  verifyNationalProof,
  verifyProof,
  verifyReceipt,
} from '../../client/client.ts';
import { openHead } from '../../client/head.ts';
import { parseProof } from '../../client/proof.ts';
import { type ReceiptFacts, receiptFacts } from '../../client/receipt.ts';
import { StepList } from '../../client/steps.ts';
import type { Text } from '../../std/text.ts';
import { nodeHash } from '../context.ts';
import { UsageError } from '../exit.ts';
import { type Found, type FoundOf, spellingsOf } from './documents.ts';
import { NOTES, TOGETHER_WORDS } from './words.ts';

/** What came of one document, or of holding several against each other. */
export interface Report {
  readonly name: string;
  readonly kind: Exclude<Found['kind'], 'keys'> | 'together';
  readonly ok: boolean;
  readonly steps: readonly VerificationStep[];
  /** What was not checked, and what would be needed. */
  readonly notes: readonly Text[];
  /** What was proved, in short. */
  readonly facts: readonly string[];
  /** As the SDK reports it, for programs. */
  readonly result?: object;
}

/** A root that the gateway signed. */
export interface SeenHead {
  readonly name: string;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
}

export interface Keys {
  /** The gateway's; asked for when they are needed. */
  readonly gateway: () => Promise<Jwks>;
  /** Of filers and offices. */
  readonly others: Jwks | undefined;
  /** The gateway that everything must be from. */
  readonly issuer: string | undefined;
}

/** A receipt that was given, with the content that goes with it. */
export interface GivenReceipt {
  readonly name: string;
  readonly receipt: unknown;
  readonly facts: ReceiptFacts | undefined;
  readonly payload: Uint8Array | undefined;
}

export const hash = nodeHash;

export function ofKind<K extends Found['kind']>(found: readonly Found[], kind: K): FoundOf<K>[] {
  return found.filter((one): one is FoundOf<K> => one.kind === kind);
}

/** Every receipt with its content, and the contents that no receipt is for. `forced` is for all of them. */
export function pairReceipts(
  found: readonly Found[],
  forced: FoundOf<'content'> | FoundOf<'payload'> | undefined,
): { receipts: GivenReceipt[]; strays: Found[] } {
  const contents = [...ofKind(found, 'content'), ...ofKind(found, 'payload')];
  const opened = ofKind(found, 'receipt').map((one) => ({ ...one, facts: receiptFacts(one.receipt) }));
  const payloads = new Map<string, Uint8Array>();
  const used = new Set<Found>();
  const digests = new Set(opened.map(({ facts }) => facts?.statement.digest));
  for (const content of forced === undefined ? contents : [...contents, forced]) {
    for (const spelling of spellingsOf(content)) {
      const digest = payloadDigest(spelling, hash);
      if (!digests.has(digest)) continue;
      payloads.set(digest, spelling);
      used.add(content);
    }
  }
  const rest = contents.filter((content) => !used.has(content));
  // With one of each there is no doubt what is meant for what, and the receipt's own steps tell what is wrong.
  const lone = opened.length === 1 && contents.length === 1 ? rest[0] : undefined;
  const otherwise = forced ?? lone;
  const receipts = opened.map(({ name, receipt, facts }) => {
    const payload = payloads.get(facts?.statement.digest ?? '') ?? (otherwise && spellingsOf(otherwise).at(-1));
    return { name, receipt, facts, payload };
  });
  return { receipts, strays: opened.length === 0 || lone !== undefined ? [] : rest };
}

export async function examineReceipt(one: GivenReceipt, keys: Keys): Promise<Report> {
  const { payload: payloadBytes } = one;
  const result = await verifyReceipt(one.receipt, await keys.gateway(), {
    hash,
    ...(keys.issuer === undefined ? {} : { issuer: keys.issuer }),
    ...(payloadBytes === undefined ? {} : { payloadBytes }),
  });
  const { statement } = result;
  const facts =
    statement === undefined
      ? []
      : [
          statement.type,
          statement.filer,
          `${statement.period.from} – ${statement.period.to}`,
          statement.receivedAt,
          statement.digest,
        ];
  return { name: one.name, kind: 'receipt', ok: result.ok, steps: result.steps, notes: [], facts, result };
}

export async function examineContent(
  one: FoundOf<'content'> | FoundOf<'payload'>,
  { others }: Keys,
  isStray: boolean,
): Promise<Report> {
  const { name, kind } = one;
  const list = new StepList<'content'>(TOGETHER_WORDS);
  if (isStray) list.check('content', false);
  if (kind === 'payload') return { name, kind, ok: !isStray, steps: list.steps, notes: [], facts: [] };
  const result = await verifyContent(one.content, { hash, ...(others && { keys: others }) });
  const facts = result.ok ? [`SHA-256 ${payloadDigest(result.payload, hash)}`] : [];
  const steps = [...result.steps, ...list.steps];
  return { name, kind, ok: result.ok && !isStray, steps, notes: others === undefined ? [NOTES.filer] : [], facts };
}

/** The end of a log's name, which says what it is the log of. */
function suffixOf(origin: string): string | undefined {
  return /(\/offices\/[^/]+|\/national)$/.exec(origin)?.[1];
}

/** The name of the log that a checkpoint says it is of, under the gateway that it must be of when that is known. */
export function originIn(checkpoint: string, base: string | undefined): string {
  const stated = checkpoint.split('\n', 1)[0] ?? '';
  const suffix = suffixOf(stated);
  return base === undefined || suffix === undefined ? stated : `${base}${suffix}`;
}

/** The office's keys, when there is a cosignature for them to check. */
function cosignersFor(checkpoint: string, origin: string, { others }: Keys): { cosigners?: Jwks; notes: Text[] } {
  if (!checkpoint.includes(`\n— ${origin}/cosigner `)) return { notes: [] };
  if (others === undefined) return { notes: [NOTES.cosignature] };
  // A key that says whose it is counts for nobody else.
  const office = origin.slice(origin.lastIndexOf('/') + 1);
  return { cosigners: { keys: others.keys.filter(({ sub }) => sub === undefined || sub === office) }, notes: [] };
}

export interface WithHead {
  readonly report: Report;
  readonly heads: readonly SeenHead[];
}

export async function examineCheckpoint(
  one: FoundOf<'checkpoint'> | FoundOf<'consistency'>,
  keys: Keys,
  base: string | undefined,
  older?: { readonly note: string; readonly path: readonly string[] },
): Promise<WithHead> {
  const { name, kind, text } = one;
  const origin = originIn(text, base);
  const { notes, ...cosigners } = cosignersFor(text, origin, keys);
  const result = await verifyCheckpoint(text, await keys.gateway(), {
    origin,
    hash,
    ...cosigners,
    ...(older === undefined ? {} : { older }),
  });
  if (kind === 'consistency' && older === undefined) notes.push(NOTES.older);
  const { ok, steps } = result;
  const heads = result.ok ? [{ name, origin, size: result.size, root: result.root }] : [];
  const facts = result.ok ? headFacts(result) : [];
  return { report: { name, kind, ok, steps, notes, facts, result }, heads };
}

function headFacts(head: { origin: string; size: number; root: string; recoveries: readonly object[] }): string[] {
  const { origin, size, root, recoveries } = head;
  return [origin, String(size), root, ...recoveries.map((recovery) => JSON.stringify(recovery))];
}

/** What a proof can be about: receipts, or leaves of entries by the end of their log’s name and their index. */
export interface Subjects {
  readonly receipts: readonly GivenReceipt[];
  readonly leaves: ReadonlyMap<string, string>;
}

export async function examineProof(
  one: FoundOf<'proof'>,
  keys: Keys,
  base: string | undefined,
  subjects: Subjects,
): Promise<WithHead> {
  const { name, text } = one;
  const parsed = parseProof(text);
  const checkpoint = parsed?.checkpoint ?? '';
  const origin = originIn(checkpoint, base);
  if (origin.endsWith('/national')) return examineNational(one, keys, origin);
  const { notes, ...cosigners } = cosignersFor(checkpoint, origin, keys);
  const filing = subjectOf(origin, parsed?.index, subjects);
  if (filing === undefined) {
    throw new UsageError({
      zh: `${name}：请一并给出它所证明的申报：回执，或日志条目`,
      en: `${name}: give the filing that it proves too: its receipt, or the log’s entries`,
    });
  }
  const result = await verifyProof(text, await keys.gateway(), filing, { hash, ...cosigners });
  const { ok, steps } = result;
  const facts = result.ok ? [`${origin} ${result.index}`, ...headFacts(result.head)] : [];
  const heads = result.ok ? [{ ...result.head, name }] : [];
  return { report: { name, kind: 'proof', ok, steps, notes, facts, result }, heads };
}

function subjectOf(origin: string, index: number | undefined, { receipts, leaves }: Subjects) {
  const filings = receipts.flatMap(({ receipt, payload }) => filingOfReceipt(receipt, payload) ?? []);
  const fitting = filings.find((filing) => filing.origin === origin && filing.index === index);
  if (fitting !== undefined) return fitting;
  const leaf = leaves.get(`${suffixOf(origin)} ${index}`);
  if (leaf !== undefined && index !== undefined) return { origin, index, leaf };
  // The only receipt there is must be the one that is meant: the steps say why the proof is not its.
  return filings.length === 1 ? filings[0] : undefined;
}

async function examineNational({ name, text }: FoundOf<'proof'>, keys: Keys, origin: string): Promise<WithHead> {
  const result = await verifyNationalProof(text, await keys.gateway(), { origin, hash });
  const { ok, steps } = result;
  const report = {
    name,
    kind: 'proof',
    ok,
    steps,
    notes: [],
    facts: result.ok ? entryFacts(result.entry) : [],
    result,
  } as const;
  if (!result.ok) return { report, heads: [] };
  const { entry, head } = result;
  const office = entry.kind === 'office' ? [{ ...entry, name }] : [];
  return { report, heads: [{ ...head, name }, ...office] };
}

function entryFacts(entry: NationalEntry): string[] {
  if (entry.kind === 'office') return headFacts(entry);
  if (entry.kind === 'recovery') return [entry.origin, JSON.stringify(entry.recovery), entry.at];
  return [`trail ${entry.n}`, entry.hash];
}

/** The size that a checkpoint states, before it is verified. */
export function sizeOf(checkpoint: string): number | undefined {
  return openHead(`${checkpoint.slice(0, checkpoint.lastIndexOf('\n\n'))}\n`)?.size;
}
