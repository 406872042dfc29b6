import type { Text } from '../../std/text.ts';
import type { RuleConstant, RuleDefinition, RuleSet, RuleSum } from '../filing-type.ts';
import { pointerSegments } from '../json-document.ts';
import { childNode, type Numbering, nameOf, resolveNode, type SchemaNode } from '../schema-node.ts';
import { type PathUse, syntaxOf } from './cel.ts';
import type { Expression } from './exact.ts';
import { ATOM, COLUMN, COMPARISON, ELEMENT, ENVELOPE, FUNCTIONS, join, METHODS, OPERATORS, say } from './phrases.ts';
import { onePath } from './rule-paths.ts';

/**
 * The formula of a rule in words: paths by the titles and lines of the form, functions and operators as one would read
 * them aloud. The rule must be one that the catalogue has accepted.
 * @param schema of the version that the rule belongs to
 * @param schemas of other types, by type, for rules that compare; what they say of a type that is not there stays general
 */
export function describeRule(
  rule: RuleDefinition,
  ruleSet: RuleSet,
  schema: object,
  schemas: ReadonlyMap<string, object> = new Map(),
): Text {
  const words = new Words(rule, ruleSet, schema as SchemaNode, schemas as ReadonlyMap<string, SchemaNode>);
  return words.rule();
}

/** Stands in a path where a rule has `[column]`; no member of a form is called so. */
const COLUMN_NAME = '[column]';

interface Spoken {
  readonly text: Text;
  readonly level: number;
}

/** A step of a path: a member, or the place of the column. */
type Step = string | typeof COLUMN;

class Words {
  readonly #rule: RuleDefinition;
  readonly #set: RuleSet;
  readonly #schema: SchemaNode;
  readonly #schemas: ReadonlyMap<string, SchemaNode>;

  constructor(rule: RuleDefinition, set: RuleSet, schema: SchemaNode, schemas: ReadonlyMap<string, SchemaNode>) {
    this.#rule = rule;
    this.#set = set;
    this.#schema = schema;
    this.#schemas = schemas;
  }

  rule(): Text {
    const { expression, columns, each, when = [] } = this.#rule;
    const parts: Text[] = [this.#speak(syntaxOf(expression)).text];
    if (columns !== undefined) {
      const names = columns.map((column) => this.#set.columns[column] ?? COLUMN);
      parts.push(say(['各项：$0', 'each of: $0'], [join(names, '、', '; ')]));
    }
    if (each !== undefined) {
      const list = this.#member(this.#schema, pointerSegments(each).slice(1));
      parts.push(say(['对“$0”的每一行', 'for every row of $0'], [list]));
    }
    if (when.length > 0) {
      const given = when.map((path) => this.#path(onePath(path, COLUMN_NAME)));
      parts.push(say(['已填$0时', 'when $0 is given'], [join(given, '、', ', ')]));
    }
    return join(parts, '；', '; ');
  }

  #speak(node: Expression): Spoken {
    const atom = (text: Text): Spoken => ({ text, level: ATOM });
    if (node.op === 'value') return atom(literal(node.args));
    if (node.op === 'list')
      return atom(
        join(
          (node.args as readonly Expression[]).map((each) => this.#speak(each).text),
          '、',
          ', ',
        ),
      );
    if (node.op === 'id' || node.op === '.' || node.op === '[]') return atom(this.#path(pathOf(node)));
    if (node.op === 'call') return this.#call(node.args as readonly [string, readonly Expression[]]);
    if (node.op === 'rcall') return this.#method(node.args as readonly [string, Expression, readonly Expression[]]);
    return this.#operator(node);
  }

  #operator(node: Expression): Spoken {
    const operator = OPERATORS[node.op];
    if (operator === undefined) throw new Error(`broken invariant: operator ${node.op} is not one of rules`);
    const { phrase, level } = operator;
    const operands = Array.isArray(node.args) ? (node.args as readonly Expression[]) : [node.args as Expression];
    const texts = operands.map((operand, place) => {
      const spoken = this.#speak(operand);
      // What stands to the right of a minus keeps its brackets, and so do comparisons that are compared.
      const isChain = level !== COMPARISON && (place === 0 || node.op !== '-');
      const isBound = spoken.level > level || (spoken.level === level && isChain);
      return isBound ? spoken.text : say(['（$0）', '($0)'], [spoken.text]);
    });
    return { text: say(phrase, texts), level };
  }

  #call([name, args]: readonly [string, readonly Expression[]]): Spoken {
    const [first] = args;
    if (name === 'has' && first !== undefined) {
      const path = pathOf(first);
      const isFiling = path.root === 'others' && path.segments.length === 1;
      const text = say(isFiling ? ['$0已报送', '$0 was filed'] : ['已填$0', '$0 is given'], [this.#path(path)]);
      return { text, level: COMPARISON };
    }
    const operands = args.map((argument) => this.#speak(argument).text);
    return { text: say(FUNCTIONS[name] ?? ['$0', '$0'], operands), level: name.startsWith('is_') ? COMPARISON : ATOM };
  }

  #method([name, receiver, args]: readonly [string, Expression, readonly Expression[]]): Spoken {
    const [first, second] = args;
    const argument = second ?? first;
    const texts = argument === undefined ? [] : [this.#speak(argument).text];
    const text = say(METHODS[name] ?? ['$0', '$0'], [this.#speak(receiver).text, ...texts]);
    return { text, level: name === 'size' ? ATOM : COMPARISON };
  }

  #path({ root, segments }: Pick<PathUse, 'root' | 'segments'>): Text {
    if (root === 'data') return this.#member(this.#schema, segments);
    if (root === 'item') return this.#item(segments);
    if (root === 'constants') return this.#constant(segments);
    if (root === 'sums') return this.#sum(this.#set.let, this.#schema, segments);
    if (root === 'regional') return this.#regional(segments);
    if (root === 'others') return this.#other(segments);
    return ENVELOPE[[root, ...segments].join('.')] ?? ELEMENT;
  }

  #item(segments: readonly string[]): Text {
    const list = pointerSegments(this.#rule.each ?? '').slice(1);
    const name = pathName(this.#schema, list, this.#steps(segments));
    return say(['本行$0', "this row's $0"], [name]);
  }

  #constant([name = '', column]: readonly string[]): Text {
    const constant = this.#set.constants[name];
    if (constant === undefined) return COLUMN;
    const figure = figureOf(constant.value, column);
    if (figure !== undefined) return say(['“$0”（$1）', '"$0" ($1)'], [constant.title, literal(figure)]);
    const isByColumn = column !== undefined;
    return say(isByColumn ? ['“$0”（各项）', '"$0" (each)'] : ['“$0”', '"$0"'], [constant.title]);
  }

  #regional(segments: readonly string[]): Text {
    const [name = ''] = segments;
    const exact = this.#set.regional[segments.join('.')];
    if (exact !== undefined) return say(['当地“$0”', 'local "$0"'], [exact.title]);
    // Written for several columns: each has a figure of its own, and all are of one kind.
    const [first = COLUMN] = (this.#rule.columns ?? []).flatMap(
      (each) => this.#set.regional[`${name}.${each}`]?.title ?? [],
    );
    return say(['当地“$0”等', 'local "$0" and the like'], [first]);
  }

  #sum(declared: readonly RuleSum[], schema: SchemaNode, [name, column]: readonly string[]): Text {
    const sum = declared.find((each) => each.name === name);
    const path = sum?.sum ?? sum?.count ?? sum?.distinct;
    if (sum === undefined || path === undefined) return { zh: '合计数', en: 'total' };
    const members = path
      .replaceAll('[]', '')
      .replaceAll('{column}', column ?? COLUMN_NAME)
      .split('.');
    const of = this.#member(schema, members);
    if (sum.sum !== undefined) return say(['$0之和', 'sum of $0'], [of]);
    if (sum.count !== undefined) return say(['$0的个数', 'number of $0'], [of]);
    if (sum.by === undefined) return say(['$0不重复的个数', 'number of different $0'], [of]);
    const by = sum.by.map((name) => pathName(schema, members, [name]));
    return say(['按$1不重复的$0行数', 'number of rows of $0 that differ in $1'], [of, join(by, '、', ', ')]);
  }

  #other([name = '', ...segments]: readonly string[]): Text {
    const other = this.#set.others[name];
    if (other === undefined) return COLUMN;
    if (segments.length === 0) return other.title;
    const schema = this.#schemas.get(other.type);
    const isWhole = other.element === undefined;
    let value: Text = { zh: '相应数据', en: 'what corresponds' };
    if (isWhole && segments[0] === 'period') value = ENVELOPE[segments.join('.')] ?? value;
    else if (isWhole && segments[0] === 'sums') value = { zh: '合计数', en: 'total' };
    else if (schema !== undefined) value = pathName(schema, other.element?.list.split('.'), this.#steps(segments));
    return say(['$0的$1', '$1 of $0'], [other.title, value]);
  }

  #member(schema: SchemaNode, segments: readonly string[]): Text {
    return pathName(schema, undefined, this.#steps(segments));
  }

  #steps(segments: readonly string[]): Step[] {
    return segments.map((segment) => (segment === COLUMN_NAME ? COLUMN : segment));
  }
}

/** The path of an `id`, `.` or `[]` node; the column is a name that no member has. */
function pathOf(node: Expression): Pick<PathUse, 'root' | 'segments'> {
  const segments: string[] = [];
  let at = node;
  while (at.op === '.' || at.op === '[]') {
    const [container, member] = at.args as readonly [Expression, string | Expression];
    segments.unshift(typeof member === 'string' ? member : member.op === 'value' ? String(member.args) : COLUMN_NAME);
    at = container;
  }
  return { root: String(at.args), segments };
}

function literal(value: unknown): Text {
  if (value === true) return { zh: '是', en: 'yes' };
  if (value === false) return { zh: '否', en: 'no' };
  if (typeof value === 'string')
    return value === '' ? { zh: '空', en: 'nothing' } : { zh: `“${value}”`, en: `"${value}"` };
  return { zh: String(value), en: String(value) };
}

function figureOf(value: RuleConstant['value'], column: string | undefined): number | undefined {
  if (typeof value === 'number') return value;
  if (column === undefined || Array.isArray(value)) return undefined;
  return (value as Readonly<Record<string, number>>)[column];
}

function elementAt(schema: SchemaNode, path: readonly string[]): SchemaNode {
  let node: SchemaNode | undefined = resolveNode(schema, schema);
  for (const name of path) node = node && childNode(schema, node, name);
  return node?.items === undefined ? {} : resolveNode(schema, node.items);
}

/**
 * A value by its line and titles, in the whole form or in an element of a list of it. The part of the form that it is in
 * comes first where it is not the main form; parts of a form without lines go without saying.
 */
function pathName(root: SchemaNode, list: readonly string[] | undefined, steps: readonly Step[]): Text {
  let node: SchemaNode | undefined = list === undefined ? resolveNode(root, root) : elementAt(root, list);
  let numbering = numberingAt(root, list ?? []);
  const isList = typeof steps[0] === 'string' && childNode(root, node, steps[0])?.type === 'array';
  const names: Text[] = [];
  let lined = -1;
  for (const [depth, step] of steps.entries()) {
    if (node?.type === 'array') node = node.items && resolveNode(root, node.items);
    if (typeof step !== 'string') {
      names.push(COLUMN);
      // All columns have members alike: one of them says what is below.
      node = fullestChild(root, node);
      if (node?.['x-line'] !== undefined) lined = depth;
      continue;
    }
    node = node && childNode(root, node, step);
    const inside = node?.['x-lines'] ?? numbering;
    // A schedule has a short name, by which people speak of its lines.
    const isSchedule = inside !== numbering && inside.of !== undefined;
    names.push(isSchedule ? (inside.of ?? COLUMN) : titleOf(node, step, numbering));
    numbering = inside;
    if (node?.['x-line'] !== undefined) lined = depth;
  }
  const isInPart = list === undefined && steps.length > 1;
  const isNamed = steps[0] !== 'lines' && (lined > 0 || numbering.of !== undefined);
  const head = isInPart && isNamed ? names.slice(0, 1) : [];
  const from = lined >= 0 ? lined : isInPart && !isList ? 1 : 0;
  return join([...head, ...names.slice(from)], '·', ' · ');
}

function titleOf(node: SchemaNode | undefined, member: string, numbering: Numbering): Text {
  // Some titles end with the codes that may be given: a formula is about the value.
  const title = (node?.title ?? member).replace(/（[a-z0-9][^）]*）$/, '');
  const english = (node?.['x-title-en'] ?? member).replace(/: [0-9].*$/, '');
  return nameOf({ ...node, title, 'x-title-en': english }, member, numbering);
}

/** How the lines are counted inside the list at a path. */
function numberingAt(schema: SchemaNode, path: readonly string[]): Numbering {
  let node: SchemaNode | undefined = resolveNode(schema, schema);
  let numbering = node['x-lines'] ?? {};
  for (const name of path) {
    node = node && childNode(schema, node, name);
    numbering = node?.['x-lines'] ?? numbering;
  }
  return numbering;
}

/** The child with the most members: one that is printed "—" has none. */
function fullestChild(root: SchemaNode, node: SchemaNode | undefined): SchemaNode | undefined {
  const children = Object.keys(node?.properties ?? {}).map((name) => childNode(root, node as SchemaNode, name));
  const size = (child: SchemaNode | undefined): number => Object.keys(child?.properties ?? {}).length;
  return children.reduce((a, b) => (size(b) > size(a) ? b : a), undefined);
}
