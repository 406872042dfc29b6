import type { SchemaNode } from '../schema-node.ts';
import { childNode, resolveNode } from '../schema-node.ts';
import { CelFault, type CelType, type CelVariable, type PathUse } from './cel.ts';
import type { ExactValue } from './helpers.ts';

/** A variable of the rules: one value of the filing, whether it is there, a constant, or a sum. */
export interface Slot extends CelVariable {
  /** What the rules see when the value is absent: declared in the schema, never assumed. */
  readonly absent: ExactValue | undefined;
}

export function addSlot(all: Slot[], type: CelType, absent: ExactValue | undefined): Slot {
  const slot = { index: all.length, name: `v${all.length}`, type, absent };
  all.push(slot);
  return slot;
}

interface Branch {
  readonly key: string;
  value: Slot | undefined;
  presence: Slot | undefined;
  readonly children: Branch[];
}

const CEL_TYPES: Readonly<Record<string, CelType>> = { integer: 'int', string: 'string', boolean: 'bool' };

/**
 * The values that rules read below one root (`data`, or an `item` of a list), as a tree, so that one walk over a filing
 * visits only what is there and what some rule needs.
 */
export class SlotTree {
  readonly #root: SchemaNode;
  readonly node: SchemaNode;
  readonly #all: Slot[];
  readonly #top: Branch = { key: '', value: undefined, presence: undefined, children: [] };

  /** @param all the slots of the version, of all trees: a slot's index is its place in it */
  constructor(root: SchemaNode, node: SchemaNode, all: Slot[]) {
    this.#root = root;
    this.node = resolveNode(root, node);
    this.#all = all;
  }

  /** The slot of a path. Throws when the schema has no such path, or when it may be absent and nothing says what then. */
  slotFor(use: PathUse, guarded: readonly PathUse[]): Slot {
    const { node, firstOptional } = this.#find(use);
    const branch = this.#branch(use.segments);
    if (use.presenceOnly) {
      branch.presence ??= addSlot(this.#all, 'bool', false);
      return branch.presence;
    }
    const isGuarded = firstOptional === undefined || guarded.some((guard) => covers(guard, use, firstOptional));
    const absent = absentValue(node);
    if (!isGuarded && absent === undefined) {
      throw new CelFault(
        `${pathText(use)} may be absent: give the schema a default of 0, or name it in "when"`,
        use.start,
      );
    }
    branch.value ??= addSlot(this.#all, this.#celType(node, use), absent);
    return branch.value;
  }

  #find(use: PathUse): { node: SchemaNode; firstOptional: number | undefined } {
    let node = this.node;
    let firstOptional: number | undefined;
    for (const [depth, segment] of use.segments.entries()) {
      const child = node.type === 'array' ? undefined : childNode(this.#root, node, segment);
      if (child === undefined) throw new CelFault(`the schema has no ${pathText(use)}`, use.start);
      if (firstOptional === undefined && !(node.required ?? []).includes(segment)) firstOptional = depth;
      node = child;
    }
    return { node, firstOptional };
  }

  #celType(node: SchemaNode, use: PathUse): CelType {
    if (node['x-dash'] === true) return 'int';
    const items = node.type === 'array' && node.items !== undefined ? resolveNode(this.#root, node.items) : undefined;
    const elementType = CEL_TYPES[items?.type ?? ''];
    if (elementType === 'int' || elementType === 'string') return `list<${elementType}>`;
    const type = CEL_TYPES[node.type ?? ''];
    if (type === undefined) throw new CelFault(`${pathText(use)} is not a single value`, use.start);
    return type;
  }

  #branch(segments: readonly string[]): Branch {
    let at = this.#top;
    for (const key of segments) {
      let next = at.children.find((child) => child.key === key);
      if (next === undefined) {
        next = { key, value: undefined, presence: undefined, children: [] };
        at.children.push(next);
      }
      at = next;
    }
    return at;
  }

  /** Puts what is there into the variables. */
  fill(value: unknown, variables: Variables): void {
    fillFrom(this.#top, value as Readonly<Record<string, unknown>>, variables);
  }
}

/** The variables of the rules, made once for a version and used for one filing after the other. */
export class Variables {
  /** By slot index. Integers are safe integers as JSON has them; a sum beyond those is a BigInt. */
  readonly values: unknown[];
  /** 1 where the filing has the value, by slot index. */
  readonly present: Uint8Array;
  readonly #touched: Slot[] = [];

  constructor(slots: readonly Slot[]) {
    this.present = new Uint8Array(slots.length);
    this.values = slots.map((slot) => slot.absent);
  }

  set(slot: Slot, value: unknown): void {
    this.values[slot.index] = value;
    this.present[slot.index] = 1;
    this.#touched.push(slot);
  }

  mark(): number {
    return this.#touched.length;
  }

  /** Back to what was set at a mark. */
  reset(mark: number): void {
    for (let i = this.#touched.length; i > mark; i--) {
      const slot = this.#touched.pop() as Slot;
      this.values[slot.index] = slot.absent;
      this.present[slot.index] = 0;
    }
  }
}

function fillFrom(branch: Branch, value: Readonly<Record<string, unknown>>, variables: Variables): void {
  for (const child of branch.children) {
    const member = value[child.key];
    if (member === undefined) continue;
    if (child.value !== undefined) variables.set(child.value, member);
    if (child.presence !== undefined) variables.set(child.presence, true);
    if (child.children.length > 0) fillFrom(child, member as Readonly<Record<string, unknown>>, variables);
  }
}

/** A cell printed "—" counts as nothing; otherwise the schema's `default` decides. */
function absentValue(node: SchemaNode): ExactValue | undefined {
  if (node['x-dash'] === true) return 0;
  return typeof node.default === 'number' || typeof node.default === 'boolean' ? node.default : undefined;
}

/** True when the guard is the path, or one above it, that reaches at least down to its first optional member. */
function covers(guard: PathUse, use: PathUse, firstOptional: number): boolean {
  if (guard.root !== use.root || guard.segments.length <= firstOptional) return false;
  return guard.segments.every((segment, i) => use.segments[i] === segment);
}

function pathText(use: PathUse): string {
  return [use.root, ...use.segments].join('.');
}
