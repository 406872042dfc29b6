import type { Text } from '../std/text.ts';
import { escapePointer, valueAt } from './json-document.ts';

/**
 * A JSON Schema 2020-12 as the catalogue uses it. Beyond the standard: `title` is Chinese, `x-title-en` English (every
 * property has both), `x-line` is the form's own line (栏次), `x-unit` the unit of a number (`fen`, `basis-points`), and
 * `x-dash` marks a cell that is printed "—" on the form and must be absent. `x-lines` says how the form numbers what is
 * within: see `Numbering`.
 */
export interface SchemaNode {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly type?: string;
  readonly title?: string;
  readonly 'x-title-en'?: string;
  readonly 'x-line'?: string;
  readonly 'x-unit'?: string;
  readonly 'x-dash'?: boolean;
  readonly 'x-lines'?: Numbering;
  readonly properties?: Readonly<Record<string, SchemaNode | boolean>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly default?: unknown;
  readonly [keyword: string]: unknown;
}

/** How a form, or one of its schedules, numbers its places; within it unless a part of it has its own. */
export interface Numbering {
  /** What the numbers count: 栏 unless it is said. */
  readonly as?: keyof typeof NUMBERED;
  /** The schedule (附列资料) that has these numbers, named before each of them. */
  readonly of?: Text;
}

const NUMBERED = {
  line: { zh: '栏', en: 'line' },
  row: { zh: '行', en: 'row' },
  column: { zh: '列', en: 'column' },
} as const;

export function isNumbering(value: unknown): value is Numbering {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { as = 'line', of, ...others } = value as Readonly<Record<string, unknown>>;
  const isText = (text: unknown): boolean => typeof text === 'string' && text !== '';
  const isSchedule =
    of === undefined || (isText(Reflect.get(Object(of), 'zh')) && isText(Reflect.get(Object(of), 'en')));
  return typeof as === 'string' && Object.hasOwn(NUMBERED, as) && isSchedule && Object.keys(others).length === 0;
}

/** The node with its local `$ref` followed; keywords beside the `$ref` win. */
export function resolveNode(root: SchemaNode, node: SchemaNode): SchemaNode {
  if (node.$ref === undefined) return node;
  const target = valueAt(root, node.$ref.slice(1));
  if (typeof target !== 'object' || target === null) return node;
  const { $ref: _, ...own } = node;
  return { ...resolveNode(root, target as SchemaNode), ...own };
}

export function childNode(root: SchemaNode, node: SchemaNode, segment: string): SchemaNode | undefined {
  const child = node.type === 'array' ? node.items : node.properties?.[segment];
  return typeof child === 'object' ? resolveNode(root, child) : undefined;
}

export interface Place {
  readonly node: SchemaNode | undefined;
  readonly label: Text;
  readonly line: string | undefined;
  /** The line as the form counts it: 第32行, row 32. */
  readonly lineName: Text | undefined;
}

/** What people call the value at a path of a form, and the line it stands on. */
export function placeOf(root: SchemaNode, segments: readonly string[]): Place {
  let node: SchemaNode | undefined = resolveNode(root, root);
  let numbering = node['x-lines'] ?? {};
  let line: string | undefined;
  let lineName: Text | undefined;
  let names: Text[] = [];
  for (const segment of segments) {
    const isElement: boolean = node?.type === 'array';
    node = node && childNode(root, node, segment);
    if (node === undefined) break;
    if (isElement) {
      names.push({ zh: `第${Number(segment) + 1}行`, en: `row ${Number(segment) + 1}` });
      continue;
    }
    const isOwn = numbering.of !== undefined || names.some((name) => name.en.startsWith('row '));
    if (node['x-line'] !== undefined) {
      line = node['x-line'];
      lineName = lineNameOf(line, numbering);
    }
    const inside = node['x-lines'] ?? numbering;
    const name = inside.of !== undefined && inside !== numbering ? inside.of : nameOf(node, segment, numbering);
    numbering = inside;
    // Within a schedule or a row everything is named; elsewhere what contains a line or a list goes without saying.
    const startsAnew = node['x-line'] !== undefined || node.type === 'array' || line === undefined;
    names = startsAnew && !isOwn ? [name] : [...names, name];
  }
  return {
    node,
    line,
    lineName,
    label: { zh: names.map((name) => name.zh).join('·'), en: names.map((name) => name.en).join(', ') },
  };
}

/** Its title, after its line as the form counts it. */
export function nameOf(node: SchemaNode, segment: string, numbering: Numbering): Text {
  const title = { zh: node.title ?? segment, en: node['x-title-en'] ?? segment };
  if (node['x-line'] === undefined) return title;
  const line = lineNameOf(node['x-line'], numbering);
  return { zh: `${line.zh}“${title.zh}”`, en: `${line.en} "${title.en}"` };
}

function lineNameOf(line: string, { as = 'line' }: Numbering): Text {
  const word = NUMBERED[as];
  return { zh: `第${line}${word.zh}`, en: `${word.en} ${line}` };
}

/** Pointer of a path below `/data`. */
export function dataPointer(segments: readonly string[]): string {
  return `/data${segments.map((segment) => `/${escapePointer(segment)}`).join('')}`;
}
