import type { FilingPayload } from '../filing.ts';
import type { FilingTypeVersionMetadata, OtherFiling, RuleSum } from '../filing-type.ts';
import { childNode, resolveNode, type SchemaNode } from '../schema-node.ts';
import { CelFault, type PathUse } from './cel.ts';
import { addSlot, type Slot, SlotTree, type Variables } from './slots.ts';
import { type CompiledSum, compileSums, compositeKey } from './sums.ts';

/** What must be known of a version of a type that other filings are compared with. */
export interface OtherVersion {
  readonly metadata: FilingTypeVersionMetadata;
  readonly schema: SchemaNode;
  /** The sums that its own rules declare: `others.<name>.sums.<sum>`. */
  readonly let: readonly RuleSum[];
}

/** All versions of each type, oldest first. */
export type OtherTypes = ReadonlyMap<string, readonly OtherVersion[]>;

/** Another filing of the filer, ready to be put among the variables. */
export interface CompiledOther {
  readonly name: string;
  /** Present when the filing stands. */
  readonly filing: Slot;
  readonly tree: SlotTree;
  readonly sums: readonly (CompiledSum & { readonly slot: Slot })[];
  readonly periodFrom: Slot;
  readonly periodTo: Slot;
  /** All that is read of it, but `filing` and the two dates. */
  readonly slots: readonly Slot[];
  /** Whether a filing follows a version that the rules were written for. */
  readonly isReadable: (payload: FilingPayload) => boolean;
  /** Given when what is read is one element of this list, found for every item of a rule's own list. */
  readonly element: { readonly segments: readonly string[]; readonly by: readonly string[] } | undefined;
}

interface Other {
  readonly definition: OtherFiling;
  readonly filing: Slot;
  readonly tree: SlotTree;
  /** Of the older versions that the rules read too: a path must be the same in each of them. */
  readonly older: readonly { readonly version: string; readonly tree: SlotTree }[];
  readonly newest: OtherVersion;
  readonly versions: readonly OtherVersion[];
  readonly all: readonly OtherVersion[];
  readonly sums: Map<string, CompiledSum & { readonly slot: Slot }>;
  readonly slots: Set<Slot>;
  readonly periodFrom: Slot;
  readonly periodTo: Slot;
}

/** The variables of what rules read as `others.<name>...`. */
export class OtherSlots {
  readonly #declared: Readonly<Record<string, OtherFiling>>;
  readonly #types: OtherTypes;
  readonly #all: Slot[];
  readonly #others = new Map<string, Other>();

  constructor(declared: Readonly<Record<string, OtherFiling>>, types: OtherTypes, all: Slot[]) {
    this.#declared = declared;
    this.#types = types;
    this.#all = all;
  }

  /** The slot of a path, and that of the filing itself; both are the same for `has(others.<name>)`. */
  slotFor(
    use: PathUse,
    guarded: readonly PathUse[],
    item: SchemaNode | undefined,
  ): { readonly slot: Slot; readonly filing: Slot } {
    const [name = '', ...segments] = use.segments;
    const other = this.#other(name, use);
    for (const member of other.definition.element?.by ?? []) {
      if (item?.properties?.[member] === undefined)
        throw new CelFault(`others.${name} is found by ${member}, which the rule's "each" does not have`, use.start);
    }
    const { filing } = other;
    if (segments.length === 0) {
      if (!use.presenceOnly) throw new CelFault(`others.${name} is a filing: read a path of its data`, use.start);
      return { slot: filing, filing };
    }
    const root = `others.${name}`;
    const isWhole = other.definition.element === undefined;
    if (isWhole && segments[0] === 'period') return { slot: this.#date(other, { ...use, root, segments }), filing };
    if (isWhole && segments[0] === 'sums') return { slot: this.#sum(other, { ...use, root, segments }), filing };
    const guards = guarded.flatMap((guard) =>
      guard.root === 'others' && guard.segments[0] === name
        ? { ...guard, root, segments: guard.segments.slice(1) }
        : [],
    );
    const slot = this.#path(other, { ...use, root, segments }, guards);
    other.slots.add(slot);
    return { slot, filing };
  }

  compiled(): CompiledOther[] {
    return [...this.#others].map(([name, other]) => ({
      name,
      filing: other.filing,
      tree: other.tree,
      sums: [...other.sums.values()],
      periodFrom: other.periodFrom,
      periodTo: other.periodTo,
      slots: [...other.slots],
      isReadable: (payload) => {
        const version = versionNameOf(other.all, payload);
        return other.versions.some(({ metadata }) => metadata.version === version);
      },
      element: other.definition.element && {
        segments: other.definition.element.list.split('.'),
        by: other.definition.element.by,
      },
    }));
  }

  #other(name: string, use: PathUse): Other {
    const known = this.#others.get(name);
    if (known !== undefined) return known;
    const definition = Object.hasOwn(this.#declared, name) ? this.#declared[name] : undefined;
    if (definition === undefined) throw new CelFault(`others.${name} is not declared`, use.start);
    const all = this.#types.get(definition.type);
    if (all === undefined) throw new CelFault(`others.${name}: there is no type ${definition.type}`, use.start);
    const versions = all.filter(({ metadata }) => definition.versions?.includes(metadata.version) ?? true);
    const newest = versions.at(-1);
    if (newest === undefined)
      throw new CelFault(`others.${name}: ${definition.type} has none of the versions`, use.start);
    const other: Other = {
      definition,
      filing: addSlot(this.#all, 'bool', false),
      tree: new SlotTree(newest.schema, readNode(newest.schema, definition, use), this.#all),
      older: versions.slice(0, -1).map(({ metadata, schema }) => ({
        version: metadata.version,
        tree: new SlotTree(schema, readNode(schema, definition, use), []),
      })),
      newest,
      versions,
      all,
      sums: new Map(),
      slots: new Set(),
      periodFrom: addSlot(this.#all, 'string', undefined),
      periodTo: addSlot(this.#all, 'string', undefined),
    };
    this.#others.set(name, other);
    return other;
  }

  #path(other: Other, use: PathUse, guards: readonly PathUse[]): Slot {
    const slot = other.tree.slotFor(use, guards);
    if (other.definition.period === 'within' && slot.type !== 'int' && !use.presenceOnly)
      throw new CelFault('of several filings only numbers can be read, which are added up', use.start);
    for (const { version, tree } of other.older) {
      const older = tree.slotFor(use, guards);
      if (older.type !== slot.type || older.absent !== slot.absent)
        throw new CelFault(`not the same in version ${version}: name the versions meant in "versions"`, use.start);
    }
    return slot;
  }

  #date(other: Other, use: PathUse): Slot {
    const [, member, ...rest] = use.segments;
    if (
      use.presenceOnly ||
      rest.length > 0 ||
      other.definition.period === 'within' ||
      !(member === 'from' || member === 'to')
    )
      throw new CelFault('only period.from and period.to of one filing can be read', use.start);
    return member === 'from' ? other.periodFrom : other.periodTo;
  }

  #sum(other: Other, use: PathUse): Slot {
    const [, name = '', column, ...rest] = use.segments;
    const definition = other.newest.let.find((sum) => sum.name === name);
    if (definition === undefined || use.presenceOnly || rest.length > 0)
      throw new CelFault(`the rules of ${other.definition.type} declare no sum ${name}`, use.start);
    const key = `${name} ${column ?? ''}`;
    const known = other.sums.get(key);
    if (known !== undefined) return known.slot;
    for (const { schema } of other.versions) compileSums(definition, schema);
    const compiled = compileSums(definition, other.newest.schema).find((sum) => sum.column === column);
    if (compiled === undefined) throw new CelFault(`sum ${name} has no such column`, use.start);
    const slot = addSlot(this.#all, 'int', undefined);
    other.sums.set(key, { ...compiled, slot });
    return slot;
  }
}

/** Where the paths begin: the whole data, or an element. */
function readNode(root: SchemaNode, { element, period }: OtherFiling, use: PathUse): SchemaNode {
  if (element === undefined) return root;
  if (period === 'within') throw new CelFault('an element can be read of one filing only', use.start);
  let node: SchemaNode | undefined = resolveNode(root, root);
  for (const name of element.list.split('.')) node = node?.type === 'object' ? childNode(root, node, name) : undefined;
  const items = node?.type === 'array' && node.items !== undefined ? resolveNode(root, node.items) : undefined;
  const missing = element.by.find((member) => items?.properties?.[member] === undefined);
  if (items === undefined || missing !== undefined)
    throw new CelFault(
      `${element.list} is no list${missing === undefined ? '' : ` whose elements have ${missing}`}`,
      use.start,
    );
  return items;
}

function versionNameOf(versions: readonly OtherVersion[], { version, period }: FilingPayload): string | undefined {
  if (version !== undefined) return version;
  return versions.find(({ metadata: { from, to } }) => from <= period.to && (to === undefined || period.to <= to))
    ?.metadata.version;
}

/** Puts the filings that stand under a name into the variables: one, or the sum of several. */
export function fillOther(other: CompiledOther, payloads: readonly FilingPayload[], variables: Variables): void {
  const [first] = payloads;
  // A sum that leaves one out would be a wrong figure, not a smaller one.
  if (first === undefined || !payloads.every(other.isReadable)) return;
  variables.set(other.filing, true);
  variables.set(other.periodFrom, first.period.from);
  variables.set(other.periodTo, first.period.to);
  for (const { slot, compute } of other.sums) {
    const total = payloads.map(({ data }) => compute(data)).reduce(add);
    if (total !== undefined) variables.set(slot, total);
  }
  if (payloads.length === 1) other.tree.fill(first.data, variables);
  else fillTotals(other, payloads, variables);
}

/** Puts the element that goes with an item into the variables, if there is one. */
export type ElementLookup = (item: unknown, variables: Variables) => void;

/** Undefined when nothing can be found. Of elements with the same members, the first counts. */
export function elementLookup(other: CompiledOther, payloads: readonly FilingPayload[]): ElementLookup | undefined {
  const { element, filing, tree } = other;
  const [payload] = payloads;
  if (element === undefined || payload === undefined || !other.isReadable(payload)) return undefined;
  let list = payload.data;
  for (const segment of element.segments) list = (list as Readonly<Record<string, unknown>> | undefined)?.[segment];
  const byKey = new Map<string, unknown>();
  for (const candidate of Array.isArray(list) ? list : []) {
    const key = compositeKey(candidate, element.by);
    if (!byKey.has(key)) byKey.set(key, candidate);
  }
  return (item, variables) => {
    const found = byKey.get(compositeKey(item, element.by));
    if (found === undefined) return;
    variables.set(filing, true);
    tree.fill(found, variables);
  };
}

function fillTotals(other: CompiledOther, payloads: readonly FilingPayload[], variables: Variables): void {
  const totals = new Map<Slot, unknown>();
  for (const { data } of payloads) {
    const mark = variables.mark();
    other.tree.fill(data, variables);
    for (const slot of other.slots) {
      if (variables.present[slot.index] === 0) continue;
      const value = variables.values[slot.index] as number | true;
      const before = totals.get(slot) as number | bigint | true | undefined;
      totals.set(slot, value === true || before === true ? true : add(before ?? 0, value));
    }
    variables.reset(mark);
  }
  for (const [slot, total] of totals) variables.set(slot, total);
}

type Total = number | bigint | undefined;

/** In doubles where that is exact, else in BigInt, which the rules compute with as well. */
function add(a: Total, b: Total): Total {
  if (a === undefined || b === undefined) return undefined;
  const sum = Number(a) + Number(b);
  return typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(sum) ? sum : BigInt(a) + BigInt(b);
}
