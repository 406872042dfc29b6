import type { RuleDefinition } from '../filing-type.ts';
import { CelFault, type PathUse, readExpression } from './cel.ts';

/** What the paths of rules may begin with. */
const ROOTS: ReadonlySet<string> = new Set([
  'data',
  'item',
  'period',
  'filer',
  'kind',
  'reference',
  'constants',
  'sums',
  'regional',
  'others',
  'column',
]);
const READS_OTHERS = /\bothers\b/;

/** Whether a rule reads other filings: then it only warns, and is not run before acceptance. */
export function isComparing(rule: RuleDefinition): boolean {
  return othersRead(rule).length > 0;
}

/** Whether a rule asks if another filing stands. */
export function asksForFiling(rule: RuleDefinition): boolean {
  return othersRead(rule).some(({ presenceOnly, segments }) => presenceOnly && segments.length === 1);
}

function othersRead({ expression, when = [] }: RuleDefinition): PathUse[] {
  if (![expression, ...when].some((source) => READS_OTHERS.test(source))) return [];
  try {
    return [expression, ...when].flatMap((source) =>
      readExpression(source, ROOTS, '').filter(({ root }) => root === 'others'),
    );
  } catch {
    // Reported where ordinary rules are compiled.
    return [];
  }
}

/** What is wrong with a rule, and which of its members says so. */
export class RuleFault extends Error {
  readonly member: string;

  constructor(member: string, message: string) {
    super(message);
    this.member = member;
  }
}

/** The paths that an expression reads. Throws {@link RuleFault}. */
export function pathsOf(source: string, column: string | undefined): PathUse[] {
  return asFault('/expression', () => readExpression(source, ROOTS, column));
}

export function onePath(source: string, column: string | undefined): PathUse {
  const [use, ...others] = readExpression(source, ROOTS, column);
  if (use === undefined || others.length > 0) throw new CelFault('one path expected');
  return use;
}

/** The expression with each path replaced by the name of its variable. */
export function rewrite(source: string, uses: readonly PathUse[], nameOf: (use: PathUse) => string): string {
  let result = source;
  for (const use of [...uses].sort((a, b) => b.start - a.start)) {
    result = result.slice(0, use.start) + nameOf(use) + result.slice(use.end);
  }
  return result;
}

export function asFault<T>(member: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CelFault) throw new RuleFault(member, `${error.message} (at character ${error.offset + 1})`);
    throw error;
  }
}
