import type { Ajv2020, ErrorObject } from 'ajv/dist/2020.js';
import { resolveNode, type SchemaNode } from './schema-node.ts';

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
 * Compiles a schema for filings of any size. References are written out first: Ajv joins the findings of every `$ref`
 * by copying the list so far, which took 100 s for 10,000 wrong person lines. Long lists are validated one element at a
 * time, and only until enough is found. Throws what Ajv throws.
 * @param known validators by schema: versions of a form that differ in words only share one
 */
export function compileValidator(ajv: Ajv2020, schema: SchemaNode, known: Map<string, DataValidator>): DataValidator {
  const written = writeOut(schema, schema);
  const text = JSON.stringify(written);
  const same = known.get(text);
  if (same !== undefined) return same;
  const validate = compileWritten(ajv, written);
  known.set(text, validate);
  return validate;
}

function compileWritten(ajv: Ajv2020, schema: SchemaNode): DataValidator {
  const lists: LongList[] = [];
  const whole = compile(ajv, cutLongLists(ajv, schema, [], lists));
  return (data) => {
    const found = whole(data);
    if (lists.length === 0) return found;
    const all = [...found];
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

/** The schema with every `$ref` replaced by what it names, and without what is for people. */
function writeOut(root: SchemaNode, node: SchemaNode): SchemaNode {
  const { $defs: _, ...resolved } = resolveNode(root, node);
  const result: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(resolved)) {
    if (keyword === 'properties') result[keyword] = mapValues(value as object, (child) => writeOutAny(root, child));
    else if (SUBSCHEMAS.has(keyword)) result[keyword] = writeOutAny(root, value);
    else if (LISTS.has(keyword))
      result[keyword] = (value as readonly unknown[]).map((child) => writeOutAny(root, child));
    else if (!isAnnotation(keyword)) result[keyword] = value;
  }
  return result;
}

function isAnnotation(keyword: string): boolean {
  return keyword.startsWith('x-') || ['title', 'description', 'default', '$comment', '$schema'].includes(keyword);
}

const SUBSCHEMAS = new Set(['items', 'not', 'if', 'then', 'else', 'contains']);
const LISTS = new Set(['allOf', 'anyOf', 'oneOf']);

function writeOutAny(root: SchemaNode, child: unknown): unknown {
  return typeof child === 'object' && child !== null ? writeOut(root, child as SchemaNode) : child;
}

function mapValues(value: object, map: (child: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, map(child)]));
}

/** Takes the elements of long lists out of the schema and gives them validators of their own. */
function cutLongLists(ajv: Ajv2020, node: SchemaNode, segments: readonly string[], lists: LongList[]): SchemaNode {
  if (
    node.type === 'array' &&
    node.items !== undefined &&
    Number(node.maxItems) > SHORT_LIST &&
    node.items.type === 'object'
  ) {
    lists.push({ segments, validate: compile(ajv, node.items) });
    const { items: _, ...rest } = node;
    return rest;
  }
  if (node.properties === undefined) return node;
  const cut = (name: string, child: SchemaNode | boolean): SchemaNode | boolean =>
    typeof child === 'boolean' ? child : cutLongLists(ajv, child, [...segments, name], lists);
  const properties = Object.fromEntries(
    Object.entries(node.properties).map(([name, child]) => [name, cut(name, child)]),
  );
  return { ...node, properties };
}
