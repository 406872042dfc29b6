import type { Text } from '../std/text.ts';
import { escapePointer, valueAt } from './json-document.ts';

/**
 * A JSON Schema 2020-12 as the catalogue uses it. Beyond the standard: `title` is Chinese, `x-title-en` English (every
 * property has both), `x-line` is the form's own line (栏次), `x-unit` the unit of a number (`fen`, `basis-points`), and
 * `x-dash` marks a cell that is printed "—" on the form and must be absent.
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
  readonly properties?: Readonly<Record<string, SchemaNode | boolean>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly default?: unknown;
  readonly [keyword: string]: unknown;
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
}

/** What people call the value at a path of a form, and the line it stands on. */
export function placeOf(root: SchemaNode, segments: readonly string[]): Place {
  let node: SchemaNode | undefined = resolveNode(root, root);
  let line: string | undefined;
  let names: Text[] = [];
  for (const segment of segments) {
    const isElement: boolean = node?.type === 'array';
    node = node && childNode(root, node, segment);
    if (node === undefined) break;
    if (isElement) {
      names.push({ zh: `第${Number(segment) + 1}行`, en: `row ${Number(segment) + 1}` });
      continue;
    }
    const title = { zh: node.title ?? segment, en: node['x-title-en'] ?? segment };
    const ownLine = node['x-line'];
    if (ownLine !== undefined) line = ownLine;
    // A line or a list starts the name anew: what contains it (the form, the schedule) goes without saying.
    if (ownLine !== undefined) names = [{ zh: `第${ownLine}栏“${title.zh}”`, en: `line ${ownLine} "${title.en}"` }];
    else if (node.type === 'array' || names.length === 0 || isContainer(names, line)) names = [title];
    else names.push(title);
  }
  return {
    node,
    line,
    label: { zh: names.map((name) => name.zh).join('·'), en: names.map((name) => name.en).join(', ') },
  };
}

/** Only names below a numbered line or a row of a list are chained; other containers are dropped. */
function isContainer(names: readonly Text[], line: string | undefined): boolean {
  return line === undefined && !names.some((name) => name.en.startsWith('row '));
}

/** Pointer of a path below `/data`. */
export function dataPointer(segments: readonly string[]): string {
  return `/data${segments.map((segment) => `/${escapePointer(segment)}`).join('')}`;
}
