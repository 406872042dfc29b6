import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { compileExact, type Expression } from './exact.ts';
import { HELPERS } from './helpers.ts';

/** The types that a rule can meet. Money and counts are int64; JSON's doubles never get in. */
export type CelType = 'int' | 'string' | 'bool' | 'list<string>' | 'list<int>' | 'map<string, int>';
export type CelValue =
  | bigint
  | string
  | boolean
  | readonly string[]
  | readonly bigint[]
  | Readonly<Record<string, bigint>>;

/** What is wrong with an expression. `offset` is in UTF-16 units from its start. */
export class CelFault extends Error {
  readonly offset: number;

  constructor(message: string, offset = 0) {
    super(message);
    this.name = 'CelFault';
    this.offset = offset;
  }
}

/** A path such as `data.lines["19"].generalMonth` in an expression, or the argument of `has(...)`. */
export interface PathUse {
  readonly root: string;
  readonly segments: readonly string[];
  readonly presenceOnly: boolean;
  readonly start: number;
  readonly end: number;
}

/** No catalogue expression comes near these; they bound what a wrong or hostile one can cost. */
const LIMITS = { maxAstNodes: 500, maxDepth: 40, maxListElements: 64, maxMapEntries: 1, maxCallArguments: 8 };

const OPERATORS = new Set([
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  '+',
  '-',
  '*',
  '/',
  '%',
  'in',
  '?:',
  '||',
  '&&',
  '!_',
  '-_',
  'list',
  'value',
]);
const MACROS = new Set(['all', 'exists', 'exists_one']);
/** A closed list. Left out on purpose: `matches` (a backtracking engine), `dyn`, doubles, timestamps, `map`, `filter`. */
const METHODS = new Set(['size', 'startsWith', 'endsWith', 'contains', ...MACROS]);
const FUNCTIONS = new Set(['size', 'has', 'int', 'string', ...HELPERS.map((helper) => helper.name)]);

let base: Environment | undefined;

/** CEL with the helpers and no variables. Made once, when first needed: registering them takes a millisecond. */
function baseEnvironment(): Environment {
  if (base !== undefined) return base;
  base = new Environment({ limits: LIMITS });
  for (const helper of HELPERS) base.registerFunction(helper.signature, helper.call);
  return base;
}

/**
 * Reads an expression without types: refuses what the catalogue's rules may not use (functions and operators outside a
 * closed list, macros inside macros) and lists the paths it reads.
 * @param column what the word `column` stands for in `x[column]`, for rules that are written once for several columns
 */
export function readExpression(source: string, roots: ReadonlySet<string>, column?: string): PathUse[] {
  const paths: PathUse[] = [];
  const walk = new Walk(roots, column, paths);
  walk.visit(parse(baseEnvironment(), source).ast, []);
  return paths;
}

/** The syntax tree of an expression, for those who write it out in words. Throws {@link CelFault}. */
export function syntaxOf(source: string): Expression {
  return parse(baseEnvironment(), source).ast;
}

class Walk {
  readonly #roots: ReadonlySet<string>;
  readonly #column: string | undefined;
  readonly #paths: PathUse[];

  constructor(roots: ReadonlySet<string>, column: string | undefined, paths: PathUse[]) {
    this.#roots = roots;
    this.#column = column;
    this.#paths = paths;
  }

  /** `bound` holds the iteration variables of the macros around the node. */
  visit(node: ASTNode, bound: readonly string[]): void {
    if (node.op === 'id' && bound.includes(node.args)) return;
    if (node.op === 'id' || node.op === '.' || node.op === '[]') this.#path(node, false);
    else if (node.op === 'call') this.#call(node.args[0], node.args[1], node, bound);
    else if (node.op === 'rcall') this.#method(node.args[0], node.args[1], node.args[2], node, bound);
    else this.#operator(node, bound);
  }

  #operator(node: ASTNode, bound: readonly string[]): void {
    if (!OPERATORS.has(node.op)) throw new CelFault(`operator ${node.op} is not allowed in rules`, node.start);
    if (node.op === 'value') {
      const isPlain = ['bigint', 'string', 'boolean'].includes(typeof node.args);
      if (!isPlain) throw new CelFault('only whole numbers, strings and booleans are allowed as literals', node.start);
      return;
    }
    for (const child of childrenOf(node)) this.visit(child, bound);
  }

  #call(name: string, args: readonly ASTNode[], node: ASTNode, bound: readonly string[]): void {
    if (!FUNCTIONS.has(name)) throw new CelFault(`function ${name} is not allowed in rules`, node.start);
    const [first] = args;
    if (name === 'has' && first !== undefined) this.#path(first, true, node);
    else for (const argument of args) this.visit(argument, bound);
  }

  #method(name: string, receiver: ASTNode, args: readonly ASTNode[], node: ASTNode, bound: readonly string[]): void {
    if (!METHODS.has(name)) throw new CelFault(`method ${name} is not allowed in rules`, node.start);
    this.visit(receiver, bound);
    if (!MACROS.has(name)) {
      for (const argument of args) this.visit(argument, bound);
      return;
    }
    if (bound.length > 0) throw new CelFault('a macro inside a macro is not allowed in rules', node.start);
    const [variable, predicate] = args;
    if (variable?.op !== 'id' || predicate === undefined)
      throw new CelFault(`${name}(variable, condition) expected`, node.start);
    if (this.#roots.has(variable.args)) throw new CelFault(`${variable.args} is a reserved name`, variable.start);
    this.visit(predicate, [variable.args]);
  }

  #path(node: ASTNode, presenceOnly: boolean, around: ASTNode = node): void {
    const segments: string[] = [];
    let at = node;
    while (at.op === '.' || at.op === '[]') {
      segments.unshift(at.op === '.' ? at.args[1] : this.#index(at.args[1]));
      at = at.args[0];
    }
    if (at.op !== 'id') throw new CelFault('a path must begin with a name', node.start);
    if (!this.#roots.has(at.args)) throw new CelFault(`unknown name ${at.args}`, at.start);
    this.#paths.push({ root: at.args, segments, presenceOnly, start: around.start, end: around.end });
  }

  #index(node: ASTNode): string {
    if (node.op === 'value' && typeof node.args === 'string') return node.args;
    if (node.op === 'id' && node.args === 'column' && this.#column !== undefined) return this.#column;
    throw new CelFault('only ["name"] and [column] are allowed as an index', node.start);
  }
}

function childrenOf(node: ASTNode): readonly ASTNode[] {
  const args: unknown = node.args;
  if (Array.isArray(args))
    return args.filter((child): child is ASTNode => typeof child === 'object' && child !== null && 'op' in child);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}

/** A variable of a rule: where its value stands among the values of a filing. */
export interface CelVariable {
  readonly index: number;
  readonly name: string;
  readonly type: CelType;
}

/** A compiled expression over the values of a filing. Throws when its evaluation fails (overflow, division by zero). */
export type Condition = (values: readonly unknown[]) => boolean;

/** Parses and type-checks once. Throws {@link CelFault} unless the result is a bool. */
export function compileCondition(source: string, variables: readonly CelVariable[]): Condition {
  const environment = baseEnvironment().clone();
  for (const { name, type } of variables) environment.registerVariable(name, type);
  const parsed = parse(environment, source);
  const verdict = parsed.check();
  if (!verdict.valid) throw toFault(verdict.error);
  if (verdict.type !== 'bool') throw new CelFault(`a rule must be a bool, this is ${verdict.type}`);
  const inInt64: Condition = (values) => parsed(celContext(variables, values)) === true;
  const exact = compileExact(parsed.ast, new Map(variables.map((variable) => [variable.name, variable])));
  if (exact === undefined) return inInt64;
  return (values) => {
    try {
      return exact(values);
    } catch {
      return inInt64(values);
    }
  };
}

/** What has no value is left out, so that CEL fails on reading it. */
function celContext(variables: readonly CelVariable[], values: readonly unknown[]): Record<string, CelValue> {
  const context: Record<string, CelValue> = {};
  for (const { name, index } of variables) {
    const value = values[index];
    if (value !== undefined) context[name] = toCel(value);
  }
  return context;
}

function toCel(value: unknown): CelValue {
  if (typeof value === 'number') return BigInt(value);
  if (Array.isArray(value)) return value.map(toCel) as CelValue;
  if (typeof value !== 'object' || value === null) return value as CelValue;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, BigInt(member as number)]));
}

function parse(environment: Environment, source: string): ReturnType<Environment['parse']> {
  try {
    return environment.parse(source);
  } catch (error) {
    throw toFault(error);
  }
}

function toFault(error: unknown): CelFault {
  const { summary, message, range } = error as { summary?: string; message?: string; range?: { start: number } };
  return new CelFault(summary ?? message ?? 'not CEL', range?.start ?? 0);
}
