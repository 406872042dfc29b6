import type { Ajv2020, ErrorObject } from 'ajv/dist/2020.js';
import type { SchemaNode } from './schema-node.ts';

/** Validates `data`. The result is Ajv's own list, empty when the data keep the schema. */
export type DataValidator = (data: unknown) => readonly ErrorObject[];

/** Where a filing has so many findings, nobody counts on: the work stays bounded whatever 10,000 lines are like. */
const COUNTED_MAX = 1_000;
/** Lists that may be longer are validated element by element. */
const SHORT_LIST = 50;

interface LongList {
  /** From `data`, through objects only. */
  readonly segments: readonly string[];
  readonly validate: DataValidator;
}

/**
 * Compiles a schema for filings of any size. Long lists are validated one element at a time, and only until enough is
 * found: Ajv joins the findings behind every `$ref` by copying the list so far, which took 100 s for 10,000 wrong person
 * lines. Writing the references out instead makes one function that is too large for V8 to optimise: three times slower.
 * Throws what Ajv throws.
 * @param known validators by schema: versions of a form that differ in words only share one
 */
export function compileValidator(ajv: Ajv2020, schema: SchemaNode, known: Map<string, DataValidator>): DataValidator {
  const bare = withoutAnnotations(schema);
  const text = JSON.stringify(bare);
  const same = known.get(text);
  if (same !== undefined) return same;
  const validate = compileBare(ajv, bare);
  known.set(text, validate);
  return validate;
}

function compileBare(ajv: Ajv2020, schema: SchemaNode): DataValidator {
  const lists: LongList[] = [];
  const whole = compile(ajv, cutLongLists(ajv, schema, schema, [], lists));
  if (lists.length === 0) return whole;
  return (data) => {
    const all = [...whole(data)];
    for (const list of lists) validateList(list, data, all);
    return all;
  };
}

function compile(ajv: Ajv2020, schema: SchemaNode): DataValidator {
  const validate = ajv.compile(schema);
  return (data) => (validate(data) ? NONE : (validate.errors ?? NONE));
}

const NONE: readonly ErrorObject[] = [];

function validateList({ segments, validate }: LongList, data: unknown, all: ErrorObject[]): void {
  let items = data;
  for (const segment of segments) {
    if (typeof items !== 'object' || items === null) return;
    items = (items as Readonly<Record<string, unknown>>)[segment];
  }
  if (!Array.isArray(items)) return;
  for (let i = 0; i < items.length && all.length < COUNTED_MAX; i++) {
    for (const error of validate(items[i])) {
      all.push({ ...error, instancePath: `/${segments.join('/')}/${i}${error.instancePath}` });
    }
  }
}

/** The schema without what is for people: versions often differ in that alone. */
function withoutAnnotations(node: SchemaNode): SchemaNode {
  const result: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(node)) {
    if (isAnnotation(keyword)) continue;
    if (MAPS.has(keyword))
      result[keyword] = Object.fromEntries(
        Object.entries(value as object).map(([name, child]) => [name, bareChild(child)]),
      );
    else if (LISTS.has(keyword)) result[keyword] = (value as readonly unknown[]).map(bareChild);
    else result[keyword] = SUBSCHEMAS.has(keyword) ? bareChild(value) : value;
  }
  return result;
}

const SUBSCHEMAS = new Set(['items', 'not', 'if', 'then', 'else', 'contains']);
const LISTS = new Set(['allOf', 'anyOf', 'oneOf']);
const MAPS = new Set(['properties', '$defs']);

function bareChild(child: unknown): unknown {
  return typeof child === 'object' && child !== null ? withoutAnnotations(child as SchemaNode) : child;
}

function isAnnotation(keyword: string): boolean {
  return keyword.startsWith('x-') || ['title', 'description', 'default', '$comment', '$schema'].includes(keyword);
}

/** Takes the elements of long lists out of the schema and gives them validators of their own. */
function cutLongLists(
  ajv: Ajv2020,
  root: SchemaNode,
  node: SchemaNode,
  segments: readonly string[],
  lists: LongList[],
): SchemaNode {
  if (
    node.type === 'array' &&
    node.items !== undefined &&
    node.uniqueItems === undefined &&
    Number(node.maxItems) > SHORT_LIST
  ) {
    lists.push({ segments, validate: compile(ajv, { ...node.items, $defs: root.$defs ?? {} }) });
    const { items: _, ...rest } = node;
    return rest;
  }
  if (node.properties === undefined) return node;
  const cut = (name: string, child: SchemaNode | boolean): SchemaNode | boolean =>
    typeof child === 'boolean' ? child : cutLongLists(ajv, root, child, [...segments, name], lists);
  const properties = Object.fromEntries(
    Object.entries(node.properties).map(([name, child]) => [name, cut(name, child)]),
  );
  return { ...node, properties };
}
