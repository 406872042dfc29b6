/** A JSON text as a tree that can also say what JSON.stringify never would: members twice, numbers no double holds. */
export type Tree = string | number | boolean | null | Raw | List | Members;

/** Text that stands in the JSON as it is. */
export interface Raw {
  readonly raw: string;
}
export interface List {
  readonly items: readonly Tree[];
}
export interface Members {
  readonly members: readonly (readonly [name: string, value: Tree])[];
}

export function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return { items: value.map(treeOf) };
  if (typeof value === 'object' && value !== null) {
    const given = Object.entries(value).filter(([, member]) => member !== undefined);
    return { members: given.map(([name, member]) => [name, treeOf(member)] as const) };
  }
  return value as string | number | boolean | null;
}

export function textOf(tree: Tree): string {
  if (typeof tree !== 'object' || tree === null) return JSON.stringify(tree);
  if ('raw' in tree) return tree.raw;
  if ('items' in tree) return `[${tree.items.map(textOf).join(',')}]`;
  return `{${tree.members.map(([name, value]) => `${JSON.stringify(name)}:${textOf(value)}`).join(',')}}`;
}

export type Edit =
  | { readonly op: 'replace' | 'append'; readonly with: Tree }
  | { readonly op: 'rename'; readonly name: string }
  | { readonly op: 'remove' | 'double' | 'wrap' | 'empty' }
  /** A copy of the node that is so many further on. */
  | { readonly op: 'swap'; readonly by: number };

/** Nodes in the order of the text, the whole tree first. */
function nodesOf(tree: Tree): Tree[] {
  if (typeof tree !== 'object' || tree === null || 'raw' in tree) return [tree];
  const below = 'items' in tree ? tree.items : tree.members.map(([, value]) => value);
  return [tree, ...below.flatMap(nodesOf)];
}

/** The tree with one edit at node number `at`, counted round and round. */
export function edited(tree: Tree, at: number, edit: Edit): Tree {
  const nodes = nodesOf(tree);
  const other = edit.op === 'swap' ? (nodes[(at + edit.by) % nodes.length] as Tree) : null;
  let left = at % nodes.length;
  const visit = (node: Tree): Tree[] | Tree => {
    if (left-- === 0) return apply(node, edit, other);
    if (typeof node !== 'object' || node === null || 'raw' in node) return node;
    if ('items' in node) return { items: node.items.flatMap((item) => visit(item)) };
    return {
      members: node.members.flatMap(([name, value]) => {
        const newName = left === 0 && edit.op === 'rename' ? edit.name : name;
        return [visit(value)].flat().map((each) => [newName, each] as const);
      }),
    };
  };
  const result = visit(tree);
  return Array.isArray(result) ? (result[0] ?? null) : result;
}

/** What stands in the place of a node: nothing, one, or two of it. */
function apply(node: Tree, edit: Edit, other: Tree): Tree[] | Tree {
  switch (edit.op) {
    case 'replace':
      return edit.with;
    case 'remove':
      return [];
    case 'double':
      return [node, node];
    case 'wrap':
      return { items: [node] };
    case 'empty':
      return typeof node === 'object' && node !== null && 'items' in node ? { items: [] } : { members: [] };
    case 'swap':
      return other;
    case 'rename':
      return node;
    case 'append':
      return appended(node, edit.with);
  }
}

function appended(node: Tree, value: Tree): Tree {
  if (typeof node !== 'object' || node === null || 'raw' in node) return value;
  if ('items' in node) return { items: [...node.items, value] };
  const name = typeof value === 'string' ? value : 'extra';
  return { members: [...node.members, [name, value]] };
}
