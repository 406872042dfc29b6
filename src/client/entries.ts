import { type Hash, leafHash, RunningRoot } from '../log/merkle.ts';
import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { ENTRY_WORDS, NATIONAL_ENTRY_WORDS } from './entry-words.ts';
import { isObject, type ParsedJws, parseJws, verifyJws } from './jws.ts';
import type { Jwks } from './keys.ts';
import { entryPayload, leafText, parseContent } from './leaf.ts';
import { parseNationalEntry } from './national.ts';
import { sha256 } from './sha256.ts';
import { StepList, type VerificationStep } from './steps.ts';
import type { Entry } from './types.ts';

export interface EntriesOptions {
  /** Sizes of the tree whose roots are wanted, beside that of all entries. */
  readonly sizes?: Iterable<number>;
  /** Entries whose leaves are wanted. */
  readonly indexes?: Iterable<number>;
  /** The filers' public keys: adds that each entry is signed by one of them. */
  readonly keys?: Jwks;
  readonly hash?: Hash;
}

export type EntryStep = keyof typeof ENTRY_WORDS | keyof typeof NATIONAL_ENTRY_WORDS;

/** What lines of a log give when they are computed again. */
export interface EntriesReport {
  readonly ok: boolean;
  readonly steps: readonly VerificationStep<EntryStep>[];
  /** The office of the entries; undefined for the national log, and where there was none to read. */
  readonly office?: string;
  /** First index. */
  readonly from: number;
  /** Index after the last one that held. */
  readonly to: number;
  /** Index of the entry that does not hold. */
  readonly failed?: number;
  /** By size, base64url; none unless the entries begin with the first of the log. */
  readonly roots: ReadonlyMap<number, string>;
  /** By index, base64url. */
  readonly leaves: ReadonlyMap<number, string>;
}

/**
 * Computes the leaves and roots of an office's log from its lines (`GET /v1/offices/{office}/entries`), which may begin
 * anywhere. Compare the roots with those of checkpoints. Stops at the first line that does not hold.
 */
export async function verifyEntries(
  entries: AsyncIterable<unknown> | Iterable<unknown>,
  options: EntriesOptions = {},
): Promise<EntriesReport> {
  const { hash = sha256, keys } = options;
  const list = new StepList<EntryStep>(ENTRY_STEPS);
  const tally = new Tally(hash, options);
  let office: string | undefined;
  for await (const value of entries) {
    const entry = isObject(value) ? (value as unknown as Entry) : undefined;
    office ??= officeOf(entry);
    const leaf = entry && office !== undefined ? leafOfEntry(hash, entry, office, tally.next(entry.index)) : undefined;
    if (entry === undefined || leaf === undefined) return report(list, tally, office, 'order');
    if (leaf.computed !== leaf.stated) return report(list, tally, office, 'entry', leaf);
    if (keys !== undefined && (await verifyJws(signedPart(entry), keys)) !== 'ok')
      return report(list, tally, office, 'signed');
    tally.add(leaf.computed);
  }
  if (tally.count > 0 && keys !== undefined) list.check('signed', true);
  return report(list, tally, office);
}

/** The same for the national log (`GET /v1/national/entries`). `origin`: `<issuer without scheme>/national`. */
export async function verifyNationalEntries(
  entries: AsyncIterable<unknown> | Iterable<unknown>,
  origin: string,
  options: Omit<EntriesOptions, 'keys'> = {},
): Promise<EntriesReport> {
  const { hash = sha256 } = options;
  const list = new StepList<EntryStep>(ENTRY_STEPS);
  const tally = new Tally(hash, options);
  for await (const value of entries) {
    const { index, text, leaf: stated } = isObject(value) ? value : {};
    if (typeof text !== 'string' || typeof stated !== 'string' || index !== tally.next(index))
      return report(list, tally, undefined, 'order');
    const computed = encodeBase64url(leafHash(hash, new TextEncoder().encode(text)));
    if (parseNationalEntry(text, origin) === undefined || computed !== stated)
      return report(list, tally, undefined, 'text', { computed, stated });
    tally.add(computed);
  }
  return report(list, tally, undefined);
}

const ENTRY_STEPS = { ...ENTRY_WORDS, ...NATIONAL_ENTRY_WORDS };

/** Leaves and roots as they come. */
class Tally {
  readonly roots = new Map<number, string>();
  readonly leaves = new Map<number, string>();
  readonly #running: RunningRoot;
  readonly #sizes: ReadonlySet<number>;
  readonly #indexes: ReadonlySet<number>;
  from: number | undefined;
  count = 0;

  constructor(hash: Hash, { sizes = [], indexes = [] }: Pick<EntriesOptions, 'sizes' | 'indexes'>) {
    this.#running = new RunningRoot(hash);
    this.#sizes = new Set(sizes);
    this.#indexes = new Set(indexes);
    this.#note();
  }

  /** The index that must come next; the first one is whatever it is. */
  next(index: unknown): number {
    this.from ??= typeof index === 'number' && Number.isSafeInteger(index) && index >= 0 ? index : undefined;
    return this.to;
  }

  get to(): number {
    return (this.from ?? 0) + this.count;
  }

  add(leaf: string): void {
    if (this.#indexes.has(this.to)) this.leaves.set(this.to, leaf);
    this.count++;
    if (this.from !== 0) return;
    this.#running.push(decodeBase64url(leaf) as Uint8Array);
    this.#note();
  }

  #note(): void {
    const { size } = this.#running;
    if (this.#sizes.has(size)) this.roots.set(size, encodeBase64url(this.#running.root()));
  }

  /** The root over everything, unless the beginning is missing. */
  finish(): void {
    if (this.from === 0) this.roots.set(this.to, encodeBase64url(this.#running.root()));
  }
}

function report(
  list: StepList<EntryStep>,
  tally: Tally,
  office: string | undefined,
  failed?: EntryStep,
  compared?: { readonly computed: string; readonly stated: string },
): EntriesReport {
  if (failed === undefined) {
    list.steps.unshift(...passed(tally.count > 0, office === undefined));
    tally.finish();
  } else list.check(failed, false, compared);
  const { roots, leaves, to } = tally;
  const facts = {
    steps: list.steps,
    from: tally.from ?? 0,
    to,
    roots,
    leaves,
    ...(office === undefined ? {} : { office }),
  };
  if (failed !== undefined) return { ok: false, failed: to, ...facts };
  return { ok: tally.count > 0, ...facts };
}

function passed(any: boolean, isNational: boolean): VerificationStep<EntryStep>[] {
  const list = new StepList<EntryStep>(ENTRY_STEPS);
  if (list.check('order', any)) list.check(isNational ? 'text' : 'entry', true);
  return list.steps;
}

function officeOf(entry: Entry | undefined): string | undefined {
  const id: unknown = entry?.id;
  return typeof id === 'string' && id.includes('.') ? id.slice(0, id.lastIndexOf('.')) : undefined;
}

/** Undefined for a line that is not the next one, or not whole. */
function leafOfEntry(
  hash: Hash,
  entry: Entry,
  office: string,
  index: number,
): { readonly computed: string; readonly stated: string } | undefined {
  const { id, receivedAt, leaf: stated } = entry;
  const salt = typeof entry.salt === 'string' ? decodeBase64url(entry.salt) : undefined;
  const payload = entryPayload(hash, entry);
  if (entry.index !== index || id !== `${office}.${index}` || salt?.length !== 16 || payload === undefined)
    return undefined;
  if (typeof receivedAt !== 'string' || typeof stated !== 'string') return undefined;
  return { computed: leafText(hash, { id, office, index, receivedAt, salt, payload }), stated };
}

/** What the filer signed: the filing itself, or the upload that the line stands in. */
function signedPart({ jws, manifest }: Entry): ParsedJws | undefined {
  return jws === undefined ? parseJws(manifest ?? '') : parseContent(jws);
}
