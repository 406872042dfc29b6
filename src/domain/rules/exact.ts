import { type ExactValue, HELPERS } from './helpers.ts';

/** A parsed CEL expression, as far as it is looked at here. */
export interface Expression {
  readonly op: string;
  readonly args: unknown;
}

/** A variable by its place among the values, and the CEL type that the checker gave it. */
export interface Variable {
  readonly index: number;
  readonly type: string;
}

type Kind = 'int' | 'string' | 'bool' | 'list<int>' | 'map<string, int>';
type Values = readonly unknown[];
type Run = (values: Values) => ExactValue;

const KINDS: ReadonlySet<string> = new Set<Kind>(['int', 'string', 'bool', 'list<int>', 'map<string, int>']);

interface Compiled {
  readonly kind: Kind;
  readonly run: Run;
  /** The summands of a sum or difference: most rules of forms are sums of lines. */
  readonly terms?: readonly Term[];
}

interface Term {
  readonly sign: 1 | -1;
  /** Of a variable; -1 for anything else, which is run. */
  readonly index: number;
  readonly run: Run;
}

/** Thrown where a double could not hold the exact result; the caller then asks CEL, which computes in int64. */
class Inexact extends Error {}
const INEXACT = new Inexact('needs int64');

/**
 * The same verdict as CEL's for expressions over integers below 2^53, in plain doubles: twenty times as fast, and no
 * BigInt is made for a figure that needs none. Every result is checked to be a safe integer, so that each step is exact;
 * where one is not, or anything throws, `run` throws and CEL decides. Undefined when the expression uses something that
 * is not covered (division, lists, macros): then CEL always decides.
 */
export function compileExact(
  expression: Expression,
  variables: ReadonlyMap<string, Variable>,
): ((values: Values) => boolean) | undefined {
  const compiled = compile(expression, variables);
  return compiled?.kind === 'bool' ? (compiled.run as (values: Values) => boolean) : undefined;
}

function compile(node: Expression, variables: ReadonlyMap<string, Variable>): Compiled | undefined {
  if (node.op === 'value') return literal(node.args);
  if (node.op === 'id') return variable(variables.get(node.args as string));
  if (node.op === 'call') return call(node.args as readonly [string, readonly Expression[]], variables);
  if (node.op === 'rcall') return size(node.args as readonly [string, Expression, readonly Expression[]], variables);
  if (node.op === 'in') return membership(node.args as readonly [Expression, Expression], variables);
  const operands = operandsOf(node).map((operand) => compile(operand, variables));
  return operands.every((operand) => operand !== undefined) ? OPERATORS[node.op]?.(...operands) : undefined;
}

function operandsOf(node: Expression): readonly Expression[] {
  return Array.isArray(node.args) ? node.args : [node.args as Expression];
}

function literal(value: unknown): Compiled | undefined {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? { kind: 'int', run: () => number } : undefined;
  }
  if (typeof value === 'string') return { kind: 'string', run: () => value };
  return typeof value === 'boolean' ? { kind: 'bool', run: () => value } : undefined;
}

function variable(found: Variable | undefined): Compiled | undefined {
  if (found === undefined || !KINDS.has(found.type)) return undefined;
  const { index } = found;
  const run: Run = (values) => {
    const value = values[index];
    if (value === undefined || typeof value === 'bigint') throw INEXACT;
    return value as ExactValue;
  };
  const kind = found.type as Kind;
  return kind === 'int' ? { kind, run, terms: [{ sign: 1, index, run }] } : { kind, run };
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw INEXACT;
  return value;
}

type Operator = (...operands: readonly Compiled[]) => Compiled | undefined;

const arithmetic =
  (apply: (a: number, b: number) => number): Operator =>
  (left, right) => {
    if (left?.kind !== 'int' || right?.kind !== 'int') return undefined;
    const [a, b] = [left.run, right.run] as readonly [(values: Values) => number, (values: Values) => number];
    return { kind: 'int', run: (values) => safe(apply(a(values), b(values))) };
  };

/** A sum in one loop instead of a call for every operator: a third of the time. Each step is checked to be exact. */
const sum =
  (sign: 1 | -1): Operator =>
  (left, right) => {
    if (left?.kind !== 'int' || right?.kind !== 'int') return undefined;
    const added = termsOf(right).map(
      (term) => (sign === 1 ? term : { ...term, sign: term.sign === 1 ? -1 : 1 }) as Term,
    );
    const terms = [...termsOf(left), ...added];
    return { kind: 'int', terms, run: runSum(terms) };
  };

function termsOf({ terms, run }: Compiled): readonly Term[] {
  return terms ?? [{ sign: 1, index: -1, run }];
}

function runSum(terms: readonly Term[]): Run {
  return (values) => {
    let total = 0;
    for (let i = 0; i < terms.length; i++) {
      const { sign, index, run } = terms[i] as Term;
      const value = index >= 0 ? values[index] : run(values);
      if (typeof value !== 'number') throw INEXACT;
      total += sign * value;
      if (total > Number.MAX_SAFE_INTEGER || total < Number.MIN_SAFE_INTEGER) throw INEXACT;
    }
    return total;
  };
}

const comparison =
  (apply: (a: ExactValue, b: ExactValue) => boolean, kinds: readonly Kind[]): Operator =>
  (left, right) => {
    if (left === undefined || left.kind !== right?.kind || !kinds.includes(left.kind)) return undefined;
    const [a, b] = [left.run, right.run];
    return { kind: 'bool', run: (values) => apply(a(values), b(values)) };
  };

const ORDERED: readonly Kind[] = ['int', 'string'];
const ALL: readonly Kind[] = ['int', 'string', 'bool'];

const OPERATORS: Readonly<Record<string, Operator>> = {
  '+': sum(1),
  '-': sum(-1),
  '*': arithmetic((a, b) => a * b),
  '<': comparison((a, b) => a < b, ORDERED),
  '<=': comparison((a, b) => a <= b, ORDERED),
  '>': comparison((a, b) => a > b, ORDERED),
  '>=': comparison((a, b) => a >= b, ORDERED),
  '==': comparison((a, b) => a === b, ALL),
  '!=': comparison((a, b) => a !== b, ALL),
  '&&': (left, right) => logic(left, right, (a, b) => (values) => a(values) && b(values)),
  '||': (left, right) => logic(left, right, (a, b) => (values) => a(values) || b(values)),
  '!_': (operand) => (operand?.kind === 'bool' ? { kind: 'bool', run: (values) => !operand.run(values) } : undefined),
  '-_': (operand) =>
    operand?.kind === 'int' ? { kind: 'int', run: (values) => 0 - (operand.run(values) as number) } : undefined,
  '?:': (condition, yes, no) => {
    if (condition?.kind !== 'bool' || yes === undefined || yes.kind !== no?.kind) return undefined;
    const [test, a, b] = [condition.run, yes.run, no.run];
    return { kind: yes.kind, run: (values) => (test(values) ? a(values) : b(values)) };
  },
};

function logic(
  left: Compiled | undefined,
  right: Compiled | undefined,
  join: (a: Run, b: Run) => Run,
): Compiled | undefined {
  if (left?.kind !== 'bool' || right?.kind !== 'bool') return undefined;
  return { kind: 'bool', run: join(left.run, right.run) };
}

function call(
  [name, args]: readonly [string, readonly Expression[]],
  variables: ReadonlyMap<string, Variable>,
): Compiled | undefined {
  const helper = HELPERS.find((candidate) => candidate.name === name);
  if (helper === undefined) return undefined;
  const runs = args.flatMap((argument) => compile(argument, variables)?.run ?? []);
  if (runs.length < args.length) return undefined;
  const { exact, result: kind } = helper;
  const [first, second, third] = runs;
  if (first === undefined || runs.length > 3) return undefined;
  if (second === undefined) return { kind, run: (values) => checked(exact(first(values))) };
  if (third === undefined) return { kind, run: (values) => checked(exact(first(values), second(values))) };
  return { kind, run: (values) => checked(exact(first(values), second(values), third(values))) };
}

function checked(value: ExactValue | undefined): ExactValue {
  if (value === undefined) throw INEXACT;
  return typeof value === 'number' ? safe(value) : value;
}

/** `text.size()`: CEL counts code points. */
function size(
  [name, receiver, args]: readonly [string, Expression, readonly Expression[]],
  variables: ReadonlyMap<string, Variable>,
): Compiled | undefined {
  const text = compile(receiver, variables);
  if (name !== 'size' || args.length > 0 || text?.kind !== 'string') return undefined;
  return { kind: 'int', run: (values) => [...(text.run(values) as string)].length };
}

/** `x in [a, b, c]`. */
function membership(
  [item, list]: readonly [Expression, Expression],
  variables: ReadonlyMap<string, Variable>,
): Compiled | undefined {
  const value = compile(item, variables);
  if (value === undefined || list.op !== 'list') return undefined;
  const elements = (list.args as readonly Expression[]).map((element) => compile(element, variables));
  const runs = elements.flatMap((element) => (element?.kind === value.kind ? [element.run] : []));
  if (runs.length < elements.length) return undefined;
  return {
    kind: 'bool',
    run: (values) => {
      const wanted = value.run(values);
      return runs.some((run) => run(values) === wanted);
    },
  };
}
