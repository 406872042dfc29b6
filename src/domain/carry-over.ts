import type { Period } from './filing.ts';
import { kindsOfPeriod } from './period-kinds.ts';
import type { CarryList, CarryRule, CarryValue, CountElements, Prefill } from './prefill.ts';

/** The filing to carry over from. */
export interface EarlierFiling {
  readonly period: Period;
  readonly data: unknown;
}

type Members = Record<string, unknown>;

/** `data` of a new filing: the skeleton, with what the earlier filing determines. */
export function carryOver(prefill: Prefill, earlier: EarlierFiling | undefined, period: Period): Members {
  const kinds: readonly string[] = kindsOfPeriod(period);
  const data = copyOf(prefill.skeleton) as Members;
  for (const kind of kinds) Object.assign(data, copyOf(prefill.byPeriod?.[kind]));
  if (earlier === undefined) return data;
  const step: Step = {
    isSameYear: earlier.period.to.slice(0, 4) === period.from.slice(0, 4),
    isYearEnd: earlier.period.to === `${Number(period.from.slice(0, 4)) - 1}-12-31`,
    kinds,
  };
  for (const rule of prefill.carry) carry(rule, earlier.data, data, step);
  return data;
}

/** From which period to which. */
interface Step {
  readonly isSameYear: boolean;
  readonly isYearEnd: boolean;
  readonly kinds: readonly string[];
}

/** Why there can be no zero filing of a period with these data; undefined: there can be one. */
export function zeroObstacle(
  { zero }: Prefill,
  data: unknown,
  period: Period,
): { readonly paths: readonly string[] } | undefined {
  if (zero === undefined) return { paths: [] };
  const kinds: readonly string[] = kindsOfPeriod(period);
  if (zero.periods !== undefined && !zero.periods.some((kind) => kinds.includes(kind))) return { paths: [] };
  const paths = zero.unless.flatMap((each) => {
    const [path, isHarmless] =
      typeof each === 'string' ? [each, isNothing] : [each.path, (value: unknown) => value === each.not];
    return [...valuesAt(data, pathSegments(path))].every(({ value }) => isHarmless(value)) ? [] : [path];
  });
  return paths.length === 0 ? undefined : { paths };
}

/** What the paths of a form come to together; what is absent counts as 0. */
export function sumAt(data: unknown, paths: readonly string[]): number {
  const found = paths.flatMap((path) => [...valuesAt(data, pathSegments(path))]);
  return found.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : 0), 0);
}

export function pathSegments(path: string): string[] {
  return path.split('.');
}

function isNothing(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : value === 0 || value === false || value === '';
}

function carry(rule: CarryRule, earlier: unknown, data: Members, step: Step): void {
  if (typeof rule === 'string') carryValue({ from: rule, to: rule }, earlier, data);
  else if ('each' in rule) carryList(rule, earlier, data, step);
  else if ('count' in rule) countElements(rule, data);
  else if (applies(rule, step)) carryValue(rule, earlier, data);
}

function applies({ within, periods }: CarryValue, { isSameYear, isYearEnd, kinds }: Step): boolean {
  if (periods !== undefined && !periods.some((kind) => kinds.includes(kind))) return false;
  if (within === undefined) return true;
  return { year: isSameYear, 'earlier-year': !isSameYear, 'year-end': isYearEnd }[within];
}

function carryValue(rule: CarryValue, earlier: unknown, data: Members): void {
  for (const { value, bound } of sources(rule, earlier)) {
    const written = rule.as ?? (typeof value === 'number' ? value + (rule.add ?? 0) : value);
    for (const to of asList(rule.to)) write(data, pathSegments(to), bound, written);
  }
}

interface Found {
  readonly value: unknown;
  /** What each `*` of the path stood for. */
  readonly bound: readonly string[];
}

/** What the rule reads; several paths with the same members for `*` are added up. */
function sources({ from, atLeast }: CarryValue, earlier: unknown): Iterable<Found> {
  if (typeof from === 'string' && !from.includes('*')) {
    const value = valueAtPath(earlier, from);
    return value === undefined ? NOTHING : [{ value: bounded(value, atLeast), bound: NO_NAMES }];
  }
  const found = new Map<string, Found>();
  for (const path of asList(from)) {
    for (const { value: read, bound } of valuesAt(earlier, pathSegments(path))) {
      const value = bounded(read, atLeast);
      const key = bound.join('.');
      const before = found.get(key)?.value;
      const isSum = typeof before === 'number' && typeof value === 'number';
      found.set(key, { value: isSum ? before + value : value, bound });
    }
  }
  return found.values();
}

const NOTHING: readonly Found[] = [];
const NO_NAMES: readonly string[] = [];

function bounded(value: unknown, atLeast: number | undefined): unknown {
  return typeof value === 'number' && atLeast !== undefined ? Math.max(value, atLeast) : value;
}

/** The usual case, which a list of ten thousand people has a hundred thousand times. */
function valueAtPath(root: unknown, path: string): unknown {
  let value = root;
  for (const segment of pathSegments(path)) {
    if (!isMembers(value) || !Object.hasOwn(value, segment)) return undefined;
    value = value[segment];
  }
  return value;
}

function carryList(rule: CarryList, earlier: unknown, data: Members, step: Step): void {
  const [list] = valuesAt(earlier, pathSegments(rule.each));
  if (!Array.isArray(list?.value)) return;
  const elements = list.value.filter((element) => isWanted(rule, element));
  const carried = elements.map((element: unknown) => {
    const begun = copyOf(rule.skeleton ?? {}) as Members;
    for (const member of rule.carry) carry(member, element, begun, step);
    return begun;
  });
  if (carried.length > 0) write(data, pathSegments(rule.each), [], carried);
}

function isWanted({ where }: CarryList, element: unknown): boolean {
  if (!isMembers(element)) return false;
  return Object.entries(where ?? {}).every(([name, wanted]) => (element[name] ?? false) === wanted);
}

function countElements({ count, to }: CountElements, data: Members): void {
  const [list] = valuesAt(data, pathSegments(count));
  write(data, pathSegments(to), [], Array.isArray(list?.value) ? list.value.length : 0);
}

/** The values at a path; with `*`, one for every member that leads to a value. */
function* valuesAt(root: unknown, segments: readonly string[], bound: readonly string[] = []): Generator<Found> {
  const [segment, ...rest] = segments;
  if (segment === undefined) {
    if (root !== undefined) yield { value: root, bound };
    return;
  }
  if (!isMembers(root)) return;
  if (segment !== '*') {
    if (Object.hasOwn(root, segment)) yield* valuesAt(root[segment], rest, bound);
    return;
  }
  for (const [name, value] of Object.entries(root)) yield* valuesAt(value, rest, [...bound, name]);
}

function write(target: Members, segments: readonly string[], bound: readonly string[], value: unknown): void {
  const names = [...bound];
  const path = segments.map((segment) => (segment === '*' ? (names.shift() as string) : segment));
  const last = path.pop() as string;
  let at = target;
  for (const name of path) {
    const next = isMembers(at[name]) ? at[name] : {};
    at[name] = next;
    at = next;
  }
  at[last] = copyOf(value);
}

/** Of JSON. Structured cloning costs microseconds a value, and a list of people has a hundred thousand of them. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isMembers(value)) return value;
  const copy: Members = {};
  for (const [name, member] of Object.entries(value)) copy[name] = copyOf(member);
  return copy;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asList(paths: string | readonly string[]): readonly string[] {
  return typeof paths === 'string' ? [paths] : paths;
}
