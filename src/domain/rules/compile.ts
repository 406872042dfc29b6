import type { Violation } from '../../std/errors.ts';
import type { RuleConstant, RuleDefinition, RuleSum } from '../filing-type.ts';
import { pointerSegments } from '../json-document.ts';
import { childNode, placeOf, resolveNode, type SchemaNode } from '../schema-node.ts';
import { CelFault, type CelType, type Condition, compileCondition, type PathUse } from './cel.ts';
import type { ExactValue } from './helpers.ts';
import { type CompiledOther, OtherSlots, type OtherTypes } from './others.ts';
import { type LoadedRules, originOf, type RuleOrigin } from './rule-file.ts';
import { asFault, isComparing, onePath, pathsOf, RuleFault, rewrite } from './rule-paths.ts';
import { addSlot, type Slot, SlotTree } from './slots.ts';
import { type CompiledSum, compileSums } from './sums.ts';

/** A rule for one column, ready to run. */
export interface CompiledRule {
  readonly definition: RuleDefinition;
  readonly condition: Condition;
  /** What it reads of the filing. */
  readonly slots: readonly number[];
  /** Slots that must all be present. */
  readonly when: readonly number[];
  /** Presence slot of what contains all that it reads (a row of a schedule); if that is absent, so is everything. */
  readonly gate: number | undefined;
  /** True when the rule is known to hold if nothing that it reads is there: then it need not run. */
  readonly holdsWhenAbsent: boolean;
  /** The finding, all but the element's index. */
  readonly finding: Violation;
  /** What is found when the rule cannot be evaluated. */
  readonly failure: Violation;
}

export interface CompiledList {
  /** Path below `data`. */
  readonly segments: readonly string[];
  readonly tree: SlotTree;
  readonly rules: readonly CompiledRule[];
}

export interface CompiledRules {
  readonly slots: readonly Slot[];
  readonly tree: SlotTree;
  readonly envelope: EnvelopeSlots;
  readonly sums: readonly (CompiledSum & { readonly slot: Slot })[];
  /** Figures that differ by region, as rules read them. */
  readonly regional: readonly { readonly name: string; readonly slot: Slot }[];
  /** The filer's other filings, as rules read them; none but for rules that compare. */
  readonly others: readonly CompiledOther[];
  readonly rules: readonly CompiledRule[];
  readonly lists: readonly CompiledList[];
}

/** A finding about a rule, at the place where the rule was written. */
export type ReportRule = (origin: RuleOrigin, pointer: string, message: string) => void;

/** The members of the payload around `data` that rules may read. */
const ENVELOPE = {
  'period.from': 'periodFrom',
  'period.to': 'periodTo',
  filer: 'filer',
  kind: 'kind',
  reference: 'reference',
} as const;
type EnvelopeSlots = Readonly<Record<(typeof ENVELOPE)[keyof typeof ENVELOPE], Slot>>;
const PLACEHOLDER = /\{([A-Za-z]+)\}/g;

/**
 * Compiles what the rule file declares, and its rules against the schema. Findings go to `report`.
 * @param types given for the rules that read other filings; without it, all the others are compiled
 */
export function compileRules(
  loaded: LoadedRules,
  schema: SchemaNode,
  report: ReportRule,
  reportLet: (message: string) => void,
  types?: OtherTypes,
): CompiledRules {
  const compiler = new Compiler(loaded, schema, reportLet, types);
  for (const rule of loaded.rules) {
    if (isComparing(rule) !== (types !== undefined)) continue;
    try {
      compiler.add(rule);
    } catch (error) {
      if (!(error instanceof RuleFault)) throw error;
      report(originOf(loaded, rule.id), error.member, `rule ${rule.id}: ${error.message}`);
    }
  }
  return compiler.done();
}

/** What an expression reads: values of the filing, and others. Pure: nothing but values of the filing and constants. */
interface Reads {
  readonly slots: Set<Slot>;
  readonly others: Set<Slot>;
  /** Must be there, or the rule says nothing: regional figures and the filings compared with. */
  readonly needed: Set<Slot>;
  isPure: boolean;
}

class Compiler {
  readonly #loaded: LoadedRules;
  readonly #schema: SchemaNode;
  readonly #slots: Slot[] = [];
  readonly #tree: SlotTree;
  readonly #envelope: EnvelopeSlots;
  /** Constants and sums, by their full name. */
  readonly #declared = new Map<string, Slot>();
  readonly #sums: (CompiledSum & { slot: Slot })[] = [];
  readonly #regional = new Map<string, Slot>();
  readonly #others: OtherSlots | undefined;
  /** Of all rules: what no rule reads need not be computed. */
  readonly #read = new Set<Slot>();
  readonly #rules: CompiledRule[] = [];
  readonly #lists = new Map<string, { segments: readonly string[]; tree: SlotTree; rules: CompiledRule[] }>();

  constructor(
    loaded: LoadedRules,
    schema: SchemaNode,
    reportLet: (message: string) => void,
    types: OtherTypes | undefined,
  ) {
    this.#loaded = loaded;
    this.#others = types && new OtherSlots(loaded.others, types, this.#slots);
    this.#schema = schema;
    this.#tree = new SlotTree(schema, schema, this.#slots);
    const text = (): Slot => addSlot(this.#slots, 'string', undefined);
    this.#envelope = { periodFrom: text(), periodTo: text(), filer: text(), kind: text(), reference: text() };
    for (const [name, constant] of Object.entries(loaded.constants)) {
      this.#declareConstant(name, constant.value);
    }
    for (const definition of loaded.let) this.#declareSum(definition, reportLet);
  }

  #declareConstant(name: string, value: RuleConstant['value']): void {
    const declare = (type: CelType, column: string, figure: ExactValue): Map<string, Slot> =>
      this.#declared.set(variableName('constants', name, column), addSlot(this.#slots, type, figure));
    if (typeof value === 'number') declare('int', '', value);
    else if (isList(value)) declare('list<int>', '', value);
    else {
      declare('map<string, int>', '', value);
      for (const [column, figure] of Object.entries(value)) declare('int', column, figure);
    }
  }

  #declareSum(definition: RuleSum, reportLet: (message: string) => void): void {
    try {
      for (const sum of compileSums(definition, this.#schema)) {
        const slot = addSlot(this.#slots, 'int', undefined);
        this.#sums.push({ ...sum, slot });
        this.#declared.set(variableName('sums', sum.name, sum.column ?? ''), slot);
      }
    } catch (error) {
      if (!(error instanceof CelFault)) throw error;
      reportLet(`let ${definition.name}: ${error.message}`);
    }
  }

  add(rule: RuleDefinition): void {
    const list = rule.each === undefined ? undefined : this.#list(rule.each);
    for (const column of rule.columns ?? [undefined]) {
      if (column !== undefined && this.#loaded.columns[column] === undefined)
        throw new RuleFault('/columns', `column ${column} has no title in "columns"`);
      (list?.rules ?? this.#rules).push(this.#compile(rule, column, list?.tree));
    }
  }

  done(): CompiledRules {
    return {
      slots: this.#slots,
      tree: this.#tree,
      envelope: this.#envelope,
      sums: this.#sums.filter(({ slot }) => this.#read.has(slot)),
      regional: [...this.#regional].map(([name, slot]) => ({ name, slot })),
      others: this.#others?.compiled() ?? [],
      rules: this.#rules,
      lists: [...this.#lists.values()],
    };
  }

  #list(pointer: string): { segments: readonly string[]; tree: SlotTree; rules: CompiledRule[] } {
    const known = this.#lists.get(pointer);
    if (known !== undefined) return known;
    const segments = pointerSegments(pointer).slice(1);
    let node = resolveNode(this.#schema, this.#schema);
    for (const segment of segments) node = childNode(this.#schema, node, segment) ?? {};
    if (node.type !== 'array' || node.items === undefined)
      throw new RuleFault('/each', `${pointer} is not a list in the schema`);
    const list = { segments, tree: new SlotTree(this.#schema, node.items, this.#slots), rules: [] };
    this.#lists.set(pointer, list);
    return list;
  }

  #compile(rule: RuleDefinition, column: string | undefined, items: SlotTree | undefined): CompiledRule {
    if (this.#others !== undefined && rule.severity !== 'warning')
      throw new RuleFault('/severity', 'a rule that reads other filings is a warning');
    const when = (rule.when ?? []).map((path) => asFault('/when', () => onePath(path, column)));
    const uses = pathsOf(rule.expression, column);
    const reads: Reads = { slots: new Set(), others: new Set(), needed: new Set(), isPure: true };
    const whenSlots = asFault('/when', () =>
      when.map((use) => this.#presenceSlot({ ...use, presenceOnly: true }, items, reads)),
    );
    const condition = asFault('/expression', () => {
      const source = rewrite(rule.expression, uses, (use) => this.#variableFor(use, when, items, reads));
      return compileCondition(source, [...reads.slots, ...reads.others]);
    });
    for (const slot of reads.others) this.#read.add(slot);
    const holdsWhenAbsent = reads.isPure && this.#holdsWhenAbsent(condition);
    const finding = this.#finding(rule, column);
    return {
      definition: rule,
      condition,
      gate: holdsWhenAbsent ? this.#gate(uses) : undefined,
      slots: [...reads.slots].map((slot) => slot.index),
      when: [...new Set([...reads.needed, ...whenSlots])].map((slot) => slot.index),
      holdsWhenAbsent,
      finding,
      failure: { ...finding, severity: this.#others === undefined ? 'error' : 'warning', message: FAILED },
    };
  }

  #gate(uses: readonly PathUse[]): number | undefined {
    const values = uses.filter((use) => use.root !== 'constants');
    const [first, ...others] = values;
    if (first === undefined || values.some((use) => use.root !== 'data')) return undefined;
    let depth = first.segments.length;
    for (const { segments } of others) {
      let same = 0;
      while (same < depth && segments[same] === first.segments[same]) same++;
      depth = same;
    }
    if (depth === 0) return undefined;
    return this.#tree.slotFor({ ...first, segments: first.segments.slice(0, depth), presenceOnly: true }, []).index;
  }

  #treeOf(use: PathUse, items: SlotTree | undefined): SlotTree {
    if (use.root === 'data') return this.#tree;
    if (use.root === 'item' && items !== undefined) return items;
    throw new CelFault(`${use.root} is not a value of the filing here`, use.start);
  }

  #variableFor(use: PathUse, when: readonly PathUse[], items: SlotTree | undefined, reads: Reads): string {
    if (use.root === 'data' || use.root === 'item') {
      const slot = this.#treeOf(use, items).slotFor(use, when);
      reads.slots.add(slot);
      return slot.name;
    }
    if (use.root === 'others' && this.#others !== undefined) {
      const { slot, filing } = this.#others.slotFor(use, when, items?.node);
      reads.others.add(slot);
      // A rule that only asks whether a filing stands speaks of its absence; every other one has nothing to compare with.
      if (slot !== filing) reads.needed.add(filing);
      reads.isPure = false;
      return slot.name;
    }
    const path = [use.root, ...use.segments].join('.');
    if (use.presenceOnly) throw new CelFault(`${path} is always there`, use.start);
    const slot = this.#outsideData(use, path);
    reads.others.add(slot);
    if (use.root === 'regional' && slot.absent === undefined) reads.needed.add(slot);
    if (use.root !== 'constants') reads.isPure = false;
    return slot.name;
  }

  #presenceSlot(use: PathUse, items: SlotTree | undefined, reads: Reads): Slot {
    if (use.root !== 'others' || this.#others === undefined) return this.#treeOf(use, items).slotFor(use, []);
    const { slot, filing } = this.#others.slotFor(use, [], items?.node);
    reads.needed.add(filing);
    return slot;
  }

  /** A figure with a value for the whole country is always there. */
  #regionalSlot(use: PathUse, path: string): Slot {
    const name = use.segments.join('.');
    const figure = Object.hasOwn(this.#loaded.regional, name) ? this.#loaded.regional[name] : undefined;
    if (figure === undefined) throw new CelFault(`${path} is not declared`, use.start);
    const slot = this.#regional.get(name) ?? addSlot(this.#slots, 'int', figure.value);
    this.#regional.set(name, slot);
    return slot;
  }

  #outsideData(use: PathUse, path: string): Slot {
    if (use.root === 'regional') return this.#regionalSlot(use, path);
    if (use.root !== 'constants' && use.root !== 'sums') {
      const name = Object.hasOwn(ENVELOPE, path) ? ENVELOPE[path as keyof typeof ENVELOPE] : undefined;
      if (name === undefined) throw new CelFault(`unknown name ${path}`, use.start);
      return this.#envelope[name];
    }
    const slot = this.#declared.get(variableName(use.root, use.segments[0] ?? '', use.segments[1] ?? ''));
    if (slot === undefined || use.segments.length > 2) throw new CelFault(`${path} is not declared`, use.start);
    return slot;
  }

  /** A rule that needs a value and has none fails to evaluate, and so is not skipped. */
  #holdsWhenAbsent(condition: Condition): boolean {
    try {
      return condition(this.#slots.map((slot) => slot.absent));
    } catch {
      return false;
    }
  }

  #finding(rule: RuleDefinition, column: string | undefined): Violation {
    const name = column === undefined ? undefined : this.#loaded.columns[column];
    const pointer = rule.pointer.replaceAll('{column}', column ?? '{column}');
    const message = {
      zh: rule.message.zh.replaceAll('{column}', name?.zh ?? '{column}'),
      en: rule.message.en.replaceAll('{column}', name?.en ?? '{column}'),
    };
    const left = [...`${pointer} ${message.zh} ${message.en}`.matchAll(PLACEHOLDER)].filter(
      (match) => match[1] !== 'index',
    );
    if (left.length > 0) throw new RuleFault('/pointer', `placeholder ${left[0]?.[0]} has no value`);
    if (pointer.includes('{index}') !== (rule.each !== undefined))
      throw new RuleFault('/pointer', '{index} belongs to rules with "each", and to all of them');
    const line = rule.line ?? this.#lineAt(pointer);
    return {
      pointer,
      code: 'rule',
      rule: rule.id,
      ...(line === undefined ? {} : { line }),
      severity: rule.severity,
      message,
    };
  }

  #lineAt(pointer: string): string | undefined {
    const [top, ...segments] = pointerSegments(pointer.replaceAll('{index}', '0'));
    if (top !== 'data') {
      if (['period', 'filer', 'kind', 'reference', 'supersedes'].includes(top ?? '')) return undefined;
      throw new RuleFault('/pointer', `the payload has no ${pointer}`);
    }
    const place = placeOf(this.#schema, segments);
    if (place.node === undefined) throw new RuleFault('/pointer', `the schema has no ${pointer}`);
    return place.line;
  }
}

const FAILED = {
  zh: '本规则无法计算（数值溢出、除数为零或日期无效），请检查有关栏次',
  en: 'This rule cannot be evaluated (overflow, division by zero or an invalid date); check the lines that it reads',
};

function isList(value: RuleConstant['value']): value is readonly number[] {
  return Array.isArray(value);
}

function variableName(root: string, name: string, column: string): string {
  return column === '' ? `${root}_${name}` : `${root}_${name}_${column}`;
}
