import type { RuleSum } from '../filing-type.ts';
import { childNode, resolveNode, type SchemaNode } from '../schema-node.ts';
import { CelFault } from './cel.ts';

/** A figure over the lists of a filing, ready to be computed. Undefined when it does not fit int64. */
export interface CompiledSum {
  readonly name: string;
  readonly column: string | undefined;
  compute(data: unknown): number | bigint | undefined;
}

const EACH = '[]';
const INT64_MAX = 2n ** 63n - 1n;

/** Throws {@link CelFault} when the schema has no such path. */
export function compileSums(definition: RuleSum, root: SchemaNode): CompiledSum[] {
  const columns: readonly (string | undefined)[] = definition.columns ?? [undefined];
  return columns.map((column) => {
    const path = definition.sum ?? definition.count ?? definition.distinct ?? '';
    const steps = path
      .replaceAll('{column}', column ?? '{column}')
      .replaceAll(EACH, `.${EACH}`)
      .split('.');
    const leaf = leafOf(root, steps, path);
    for (const member of definition.by ?? []) {
      if (childNode(root, leaf, member)?.type === undefined) throw new CelFault(`the schema has no ${path}.${member}`);
    }
    if (definition.sum !== undefined && leaf.type !== 'integer') throw new CelFault(`${path} is not an integer`);
    return { name: definition.name, column, compute: computer(definition, steps) };
  });
}

function leafOf(root: SchemaNode, steps: readonly string[], path: string): SchemaNode {
  let node: SchemaNode | undefined = resolveNode(root, root);
  for (const step of steps) {
    if (node === undefined || (step === EACH) !== (node.type === 'array'))
      throw new CelFault(`the schema has no data.${path}`);
    node = childNode(root, node, step);
  }
  if (node === undefined) throw new CelFault(`the schema has no data.${path}`);
  return node;
}

function computer(definition: RuleSum, steps: readonly string[]): CompiledSum['compute'] {
  if (definition.sum !== undefined) {
    return (data) => {
      const total = new Total();
      visit(data, steps, 0, (value) => total.add(value as number));
      return total.value();
    };
  }
  if (definition.distinct !== undefined) {
    const { by } = definition;
    const keyOf = by === undefined ? (value: unknown) => value : (value: unknown) => compositeKey(value, by);
    return (data) => {
      const seen = new Set<unknown>();
      visit(data, steps, 0, (value) => seen.add(keyOf(value)));
      return seen.size;
    };
  }
  return (data) => {
    let count = 0;
    visit(data, steps, 0, () => count++);
    return count;
  };
}

/** One text for several members. With the lengths in front, no two different lists of members have the same. */
export function compositeKey(value: unknown, members: readonly string[]): string {
  let key = '';
  for (const member of members) {
    const text = String((value as Readonly<Record<string, unknown>>)[member]);
    key += `${text.length}:${text}`;
  }
  return key;
}

/** Every value that is there; what is absent adds nothing to a sum. */
function visit(value: unknown, steps: readonly string[], from: number, take: (value: unknown) => void): void {
  let at = value;
  for (let i = from; i < steps.length; i++) {
    if (at === undefined) return;
    const step = steps[i] as string;
    if (step === EACH) {
      const last = i + 2 === steps.length ? (steps[i + 1] as string) : EACH;
      for (const element of at as readonly unknown[]) {
        if (last === EACH) visit(element, steps, i + 1, take);
        else takeMember(element, last, take);
      }
      return;
    }
    at = (at as Readonly<Record<string, unknown>>)[step];
  }
  if (at !== undefined) take(at);
}

/** The commonest end of a path, without another walk: ten thousand lines have one each. */
function takeMember(element: unknown, member: string, take: (value: unknown) => void): void {
  const value = (element as Readonly<Record<string, unknown>>)[member];
  if (value !== undefined) take(value);
}

/** Adds safe integers in doubles, which is exact below 2^53, and goes over to BigInt where it would not be. */
class Total {
  #small = 0;
  #large = 0n;

  add(value: number): void {
    const next = this.#small + value;
    if (Number.isSafeInteger(next)) {
      this.#small = next;
      return;
    }
    this.#large += BigInt(this.#small);
    this.#small = value;
  }

  value(): number | bigint | undefined {
    if (this.#large === 0n) return this.#small;
    const total = this.#large + BigInt(this.#small);
    return total > INT64_MAX || total < -INT64_MAX - 1n ? undefined : total;
  }
}
