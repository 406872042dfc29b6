import { type EntriesReport, verifyEntries, verifyNationalEntries } from '../../client/client.ts';
import { parseProof } from '../../client/proof.ts';
import { StepList } from '../../client/steps.ts';
import type { Found, FoundOf } from './documents.ts';
import { type GivenReceipt, hash, type Keys, ofKind, originIn, type Report, type SeenHead, sizeOf } from './examine.ts';
import { NOTES, TOGETHER_WORDS } from './words.ts';

/** The lines of one log, from all files that hold some of them. */
export interface EntriesGroup {
  /** `/offices/<office>` or `/national`: the end of the log's name. */
  readonly suffix: string;
  readonly files: readonly FoundOf<'entries' | 'national-entries'>[];
}

/** Files of the same log in the order of their first lines. */
export async function groupEntries(found: readonly Found[]): Promise<EntriesGroup[]> {
  const groups = new Map<string, { first: number; file: EntriesGroup['files'][number] }[]>();
  const files = found.filter(
    (one): one is EntriesGroup['files'][number] => one.kind === 'entries' || one.kind === 'national-entries',
  );
  for (const file of files) {
    const { index, id } = await firstOf(file.values());
    const office = id.slice(0, Math.max(id.lastIndexOf('.'), 0));
    const suffix = file.kind === 'entries' ? `/offices/${office}` : '/national';
    groups.set(suffix, [...(groups.get(suffix) ?? []), { first: index, file }]);
  }
  return [...groups].map(([suffix, members]) => ({
    suffix,
    files: members.sort((a, b) => a.first - b.first).map(({ file }) => file),
  }));
}

async function firstOf(values: AsyncIterable<unknown>): Promise<{ index: number; id: string }> {
  for await (const value of values) {
    const { index, id } = (value ?? {}) as { readonly index?: unknown; readonly id?: unknown };
    return { index: Number(index), id: String(id ?? '') };
  }
  return { index: 0, id: '' };
}

async function* inOrder(files: EntriesGroup['files']): AsyncGenerator<unknown> {
  for (const file of files) yield* file.values();
}

/** Sizes and indexes that other documents speak of. */
export function spokenOf(
  found: readonly Found[],
  receipts: readonly GivenReceipt[],
): { sizes: number[]; indexes: number[] } {
  const proofs = ofKind(found, 'proof').map(({ text }) => parseProof(text));
  const notes = [...ofKind(found, 'checkpoint'), ...ofKind(found, 'consistency')].map(({ text }) => text);
  const checkpoints = [...notes, ...proofs.map((proof) => proof?.checkpoint ?? '')];
  // The heads of offices that come in national proofs.
  const extras = proofs.map((proof) => new TextDecoder().decode(proof?.extra ?? new Uint8Array(0)));
  const sizes = [...checkpoints, ...extras.map((text) => `${text}\n\n`)].map(sizeOf);
  const indexes = [...receipts.map(({ facts }) => facts?.statement.index), ...proofs.map((proof) => proof?.index)];
  const known = (numbers: readonly (number | undefined)[]): number[] => numbers.filter((n) => n !== undefined);
  return { sizes: known(sizes), indexes: known(indexes) };
}

export async function examineEntries(
  group: EntriesGroup,
  wanted: { readonly sizes: readonly number[]; readonly indexes: readonly number[] },
  { others }: Keys,
  base: string | undefined,
): Promise<{ report: Report; result: EntriesReport }> {
  const { suffix, files } = group;
  const values = inOrder(files);
  const isNational = suffix === '/national';
  const result = isNational
    ? await verifyNationalEntries(values, `${base ?? (await baseOf(files))}/national`, { ...wanted, hash })
    : await verifyEntries(values, { ...wanted, hash, ...(others && { keys: others }) });
  const notes = [
    ...(result.from > 0 && result.ok ? [NOTES.partial] : []),
    ...(!isNational && others === undefined && result.ok ? [NOTES.filer] : []),
  ];
  const range = result.ok ? `${result.from} … ${result.to - 1}` : `✗ ${result.failed}`;
  const root = result.roots.get(result.to);
  const facts = [suffix.slice(1), range, ...(root === undefined || !result.ok ? [] : [root])];
  const name = files.map((file) => file.name).join(', ');
  const kind = isNational ? 'national-entries' : 'entries';
  return { report: { name, kind, ok: result.ok, steps: result.steps, notes, facts }, result };
}

/** Of the gateway, by the first line: an entry begins with the name of a log. */
async function baseOf([file]: EntriesGroup['files']): Promise<string> {
  for await (const value of file?.values() ?? []) {
    const { text } = (value ?? {}) as { readonly text?: unknown };
    return (
      String(text)
        .split('\n', 1)[0]
        ?.replace(/\/(offices\/[^/]*|trail)$/, '') ?? ''
    );
  }
  return '';
}

/** Entries with what they gave. */
export type ReadEntries = readonly { readonly suffix: string; readonly result: EntriesReport }[];

/** Holds everything that was read against each other; undefined when there is nothing to compare. */
export function compareAll(
  heads: readonly SeenHead[],
  entries: ReadEntries,
  receipts: readonly GivenReceipt[],
  connected: ReadonlySet<string>,
): Report | undefined {
  const list = new StepList<keyof typeof TOGETHER_WORDS>(TOGETHER_WORDS);
  for (const group of byPlace(heads)) {
    const [first, ...others] = group;
    const other = others.find(({ root }) => root !== first?.root) ?? others[0];
    if (first !== undefined && other !== undefined) list.same('agree', other.root, first.root);
  }
  for (const { suffix, result } of entries) {
    for (const head of heads.filter(({ origin }) => origin.endsWith(suffix))) {
      const root = result.roots.get(head.size);
      if (root !== undefined) list.same('root', root, head.root);
    }
    for (const { facts } of receipts) {
      const leaf = facts && suffix.endsWith(`/${facts.statement.office}`) && result.leaves.get(facts.statement.index);
      if (facts !== undefined && typeof leaf === 'string') list.same('logged', leaf, facts.statement.leaf);
    }
  }
  const notes = isUnconnected(heads, entries, connected) ? [NOTES.unconnected] : [];
  if (list.steps.length === 0 && notes.length === 0) return undefined;
  return { name: '', kind: 'together', ok: list.steps.every(({ ok }) => ok), steps: list.steps, notes, facts: [] };
}

function byPlace(heads: readonly SeenHead[]): SeenHead[][] {
  const groups = new Map<string, SeenHead[]>();
  for (const head of heads) {
    const key = `${head.origin} ${head.size}`;
    groups.set(key, [...(groups.get(key) ?? []), head]);
  }
  return [...groups.values()];
}

/** Whether heads of one log at different sizes stand beside each other and nothing ties them together. */
function isUnconnected(heads: readonly SeenHead[], entries: ReadEntries, connected: ReadonlySet<string>): boolean {
  return heads.some(({ origin, size }) => {
    const isRead = entries.some(({ suffix, result }) => origin.endsWith(suffix) && result.roots.has(size));
    return !isRead && !connected.has(origin) && heads.some((head) => head.origin === origin && head.size !== size);
  });
}

/** The earlier checkpoint that a consistency proof begins with, among the others. */
export function olderFor(
  one: FoundOf<'consistency'>,
  found: readonly Found[],
  base: string | undefined,
): string | undefined {
  const origin = originIn(one.text, base);
  const notes = [
    ...ofKind(found, 'checkpoint').map(({ text }) => text),
    ...ofKind(found, 'proof').map(({ text }) => parseProof(text)?.checkpoint ?? ''),
  ];
  const same = notes.filter((text) => originIn(text, base) === origin);
  if (typeof one.from === 'number') return same.find((text) => sizeOf(text) === one.from);
  return same.find((text) => (sizeOf(text) ?? 0) <= (sizeOf(one.text) ?? 0));
}
