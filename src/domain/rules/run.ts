import type { Violation } from '../../std/errors.ts';
import type { FilingPayload } from '../filing.ts';
import type { Figures, Verdict } from '../filing-type.ts';
import type { CompiledList, CompiledRule, CompiledRules } from './compile.ts';
import { type ElementLookup, elementLookup, fillOther } from './others.ts';
import { Variables } from './slots.ts';

/** No filer reads more, and no answer needs to be longer. */
export const MAX_FINDINGS = 100;

/**
 * Runs the rules of a version over filings whose data keep the schema.
 * @param figures of the filing's region and date; undefined when none are loaded
 * @param others for rules that compare: by name, the filings to compare with
 */
export type RuleRunner = (
  payload: FilingPayload,
  figures?: Figures,
  others?: ReadonlyMap<string, readonly FilingPayload[]>,
) => Verdict;

export function ruleRunner(compiled: CompiledRules): RuleRunner {
  const variables = new Variables(compiled.slots);
  return (payload, figures, others) => {
    const findings = new Findings();
    try {
      prepare(compiled, variables, payload);
      if (figures !== undefined) setFigures(compiled, variables, figures);
      const lookups = compareWith(compiled, variables, others);
      for (const rule of compiled.rules) if (!holds(rule, variables, findings)) findings.add(rule.finding);
      for (const list of compiled.lists) runList(list, payload.data, variables, findings, lookups);
    } finally {
      variables.reset(0);
    }
    return findings.verdict();
  };
}

function prepare(compiled: CompiledRules, variables: Variables, payload: FilingPayload): void {
  compiled.tree.fill(payload.data, variables);
  const { values } = variables;
  const { envelope } = compiled;
  values[envelope.periodFrom.index] = payload.period.from;
  values[envelope.periodTo.index] = payload.period.to;
  values[envelope.filer.index] = payload.filer;
  values[envelope.kind.index] = payload.kind;
  values[envelope.reference.index] = payload.reference ?? '';
  // A sum beyond int64 has no value; a rule that reads it fails to evaluate, and that is a finding.
  for (const sum of compiled.sums) values[sum.slot.index] = sum.compute(payload.data);
}

function setFigures(compiled: CompiledRules, variables: Variables, figures: Figures): void {
  for (const { name, slot } of compiled.regional) {
    const value = figures(name);
    if (value !== undefined) variables.set(slot, value);
  }
}

function compareWith(
  { others: compared }: CompiledRules,
  variables: Variables,
  others: ReadonlyMap<string, readonly FilingPayload[]> | undefined,
): readonly ElementLookup[] {
  if (compared.length === 0) return NO_LOOKUPS;
  const lookups: ElementLookup[] = [];
  for (const other of compared) {
    const payloads = others?.get(other.name) ?? [];
    if (other.element === undefined) fillOther(other, payloads, variables);
    else lookups.push(...[elementLookup(other, payloads)].filter((lookup) => lookup !== undefined));
  }
  return lookups;
}

const NO_LOOKUPS: readonly ElementLookup[] = [];

function runList(
  list: CompiledList,
  data: unknown,
  variables: Variables,
  findings: Findings,
  lookups: readonly ElementLookup[],
): void {
  let items = data;
  for (const segment of list.segments) items = (items as Readonly<Record<string, unknown>> | undefined)?.[segment];
  if (!Array.isArray(items)) return;
  const mark = variables.mark();
  for (let index = 0; index < items.length; index++) {
    list.tree.fill(items[index], variables);
    for (const lookup of lookups) lookup(items[index], variables);
    for (const rule of list.rules) if (!holds(rule, variables, findings, index)) findings.add(rule.finding, index);
    variables.reset(mark);
  }
}

/** A rule that cannot be evaluated has no verdict to give: that is reported in its place, and blocks. */
function holds(rule: CompiledRule, variables: Variables, findings: Findings, index?: number): boolean {
  const { present } = variables;
  if (rule.gate !== undefined && present[rule.gate] === 0) return true;
  for (const slot of rule.when) if (present[slot] === 0) return true;
  if (rule.holdsWhenAbsent && !isAnyPresent(rule.slots, present)) return true;
  try {
    return rule.condition(variables.values);
  } catch {
    findings.add(rule.failure, index);
    return true;
  }
}

function isAnyPresent(slots: readonly number[], present: Uint8Array): boolean {
  for (const slot of slots) if (present[slot] === 1) return true;
  return false;
}

class Findings {
  readonly #errors: Violation[] = [];
  readonly #warnings: Violation[] = [];
  #more = 0;

  add(finding: Violation, index?: number): void {
    const list = finding.severity === 'error' ? this.#errors : this.#warnings;
    if (list.length >= MAX_FINDINGS) {
      this.#more++;
      return;
    }
    list.push(
      index === undefined ? finding : { ...finding, pointer: finding.pointer.replaceAll('{index}', String(index)) },
    );
  }

  verdict(): Verdict {
    return this.#errors.length === 0 && this.#warnings.length === 0
      ? SOUND
      : { errors: this.#errors, warnings: this.#warnings, more: this.#more };
  }
}

/** Shared: most filings are sound. */
const SOUND: Verdict = { errors: [], warnings: [], more: 0 };
