import type { Violation } from '../std/errors.ts';
import type { SupplementRule } from './filing-type.ts';
import { childNode, dataPointer, placeOf, resolveNode, type SchemaNode } from './schema-node.ts';

/** No answer needs to be longer. */
const MAX_FINDINGS = 100;

export interface SupplementFindings {
  readonly errors: readonly Violation[];
  /** Findings beyond those listed. */
  readonly more: number;
}

/**
 * A supplement (补充申报) adds and never lowers: everything that the rule names in what it supersedes is still there, and
 * no amount is less. An amount that is absent counts as 0. Both contents keep the schema.
 *
 * Elements of a list are the same when the rule's members of them are; of several that are alike, the first stands for
 * the first, the second for the second. Amounts of an element are its members in fen, at any depth but in lists of its own.
 */
export function supplementFindings(
  rule: SupplementRule,
  schema: SchemaNode,
  before: unknown,
  after: unknown,
): SupplementFindings {
  const found = new Findings();
  for (const [path, identity] of Object.entries(rule.lists))
    compareLists(segmentsOf(path), identity, { schema, before, after }, found);
  for (const path of rule.amounts) {
    const segments = segmentsOf(path);
    if (amountAt(after, segments) < amountAt(before, segments)) found.add(() => lowered(schema, segments));
  }
  return found;
}

interface Contents {
  readonly schema: SchemaNode;
  readonly before: unknown;
  readonly after: unknown;
}

function compareLists(
  segments: readonly string[],
  identity: readonly string[],
  { schema, before, after }: Contents,
  found: Findings,
): void {
  const amounts = amountsOf(schema, segments);
  const there = new Map<string, { index: number; element: unknown }[]>();
  for (const [index, element] of listAt(after, segments).entries()) {
    const name = nameOf(element, identity);
    const alike = there.get(name);
    if (alike === undefined) there.set(name, [{ index, element }]);
    else alike.push({ index, element });
  }
  for (const [row, element] of listAt(before, segments).entries()) {
    const still = there.get(nameOf(element, identity))?.shift();
    if (still === undefined) {
      found.add(() => missing(schema, segments, row));
      continue;
    }
    for (const amount of amounts) {
      if (amountAt(still.element, amount) >= amountAt(element, amount)) continue;
      found.add(() => lowered(schema, [...segments, String(still.index), ...amount]));
    }
  }
}

/** Where an element of the list has amounts in fen. */
function amountsOf(schema: SchemaNode, segments: readonly string[]): string[][] {
  let node: SchemaNode | undefined = resolveNode(schema, schema);
  for (const segment of [...segments, '0']) node = node && childNode(schema, node, segment);
  const found: string[][] = [];
  const walk = (at: SchemaNode, path: readonly string[]): void => {
    if (at['x-unit'] === 'fen') found.push([...path]);
    for (const name of Object.keys(at.properties ?? {})) {
      const child = childNode(schema, at, name);
      if (child !== undefined) walk(child, [...path, name]);
    }
  };
  if (node !== undefined) walk(node, []);
  return found;
}

function nameOf(element: unknown, identity: readonly string[]): string {
  return JSON.stringify(identity.map((path) => valueAt(element, segmentsOf(path)) ?? null));
}

function segmentsOf(path: string): string[] {
  return path.split('.');
}

function listAt(data: unknown, segments: readonly string[]): readonly unknown[] {
  const list = valueAt(data, segments);
  return Array.isArray(list) ? list : [];
}

function amountAt(data: unknown, segments: readonly string[]): number {
  const amount = valueAt(data, segments);
  return typeof amount === 'number' ? amount : 0;
}

function valueAt(data: unknown, segments: readonly string[]): unknown {
  let value = data;
  for (const segment of segments) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = Reflect.get(value, segment);
  }
  return value;
}

function missing(schema: SchemaNode, segments: readonly string[], row: number): Violation {
  const { label } = placeOf(schema, segments);
  return {
    ...finding(schema, segments),
    message: {
      zh: `${label.zh}：补充申报只增不减，被补充的申报的第${row + 1}行不能缺少`,
      en: `${label.en}: a supplement adds and never lowers; row ${row + 1} of the filing that it supersedes must still be there`,
    },
  };
}

function lowered(schema: SchemaNode, segments: readonly string[]): Violation {
  const { label } = placeOf(schema, segments);
  return {
    ...finding(schema, segments),
    message: {
      zh: `${label.zh}：补充申报只增不减，金额不得低于被补充的申报`,
      en: `${label.en}: a supplement adds and never lowers; the amount must not be less than in the filing that it supersedes`,
    },
  };
}

function finding(schema: SchemaNode, segments: readonly string[]): Omit<Violation, 'message'> {
  const { line } = placeOf(schema, segments);
  return {
    pointer: dataPointer(segments),
    code: 'supplement',
    ...(line === undefined ? {} : { line }),
    severity: 'error',
  };
}

class Findings implements SupplementFindings {
  readonly errors: Violation[] = [];
  more = 0;

  add(finding: () => Violation): void {
    if (this.errors.length < MAX_FINDINGS) this.errors.push(finding());
    else this.more++;
  }
}
