import type { PlainDate } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { Agency, FilingPayload, Period } from './filing.ts';
import type { Prefill } from './prefill.ts';

/** How a type's periods run. `event` types have the event's date twice and a reference. */
export type PeriodKind = 'month' | 'quarter' | 'half-year' | 'year' | 'day' | 'event';

/**
 * When a filing is due.
 * - `tax-month`: the 征期 rule over the month after the period (day 15 with the shifts of 税收征管法实施细则 109)
 * - `after-period`: day `day` of the `months`-th month after the period's last month; rolled to a working day if `roll`
 * - `after-event`: `hours`, `days` or `workingDays` after the event's date
 * - `none`: never late
 */
export type DeadlineRule =
  | { readonly rule: 'tax-month' }
  | { readonly rule: 'after-period'; readonly months: number; readonly day: number; readonly roll?: boolean }
  | { readonly rule: 'after-event'; readonly hours?: number; readonly days?: number; readonly workingDays?: number }
  | { readonly rule: 'none' };

/** `schemas/<agency>/<type>/type.json`. */
export interface FilingTypeMetadata {
  readonly type: string;
  readonly agency: Agency;
  readonly title: Text;
  readonly description: Text;
  readonly periods: readonly PeriodKind[];
  /** Who files: which kinds of taxpayer owe it; absent means any filer may. */
  readonly filers?: { readonly taxpayerKinds?: readonly ('general' | 'small')[] };
  readonly deadline: DeadlineRule;
  /** Kinds of period that are due by another rule: a year's statements are due months after the last quarter's. */
  readonly deadlines?: Readonly<Partial<Record<PeriodKind, DeadlineRule>>>;
  readonly kinds: FilingKinds;
  /**
   * What it means that the filer, though registered then, has filed nothing for the period before: `warning` is found after
   * acceptance, `refusal` before it. Absent: nothing.
   */
  readonly earlierPeriod?: 'warning' | 'refusal';
  /**
   * What is owed, each with the kinds of period that may be filed in its place. Absent: the first of `periods`, or any
   * other of them. Event types owe nothing before there is an event.
   */
  readonly obliged?: readonly ObligedPeriod[];
  /** Paths in `data` of what is payable with the filing; what they come to, if it is more than 0, is the amount due. */
  readonly amountDue?: readonly string[];
  /** Path in `data` of a boolean: true puts the filing first in what offices are told. */
  readonly urgent?: string;
  /** The notice (公告) or law that the form follows. */
  readonly notice: Text;
  /** `modelled` until a person has compared it with the notice. */
  readonly status: 'modelled' | 'official';
  readonly source?: string;
  readonly versions: readonly FilingTypeVersionMetadata[];
}

export interface ObligedPeriod {
  readonly period: PeriodKind;
  /** The filer may file by these instead: by month what is due by quarter. */
  readonly or?: readonly PeriodKind[];
  /** False: only when there is something to file. */
  readonly required?: boolean;
}

/** What may follow an original. A correction replaces it whole; a voiding withdraws it. */
export interface FilingKinds {
  readonly correction: boolean;
  readonly void: boolean;
  /** Absent: the type has no supplements. */
  readonly supplement?: SupplementRule;
}

/**
 * A supplement (补充申报) carries the whole content again with what is added, and lowers nothing of what it supersedes:
 * every element of these lists is still there with amounts (`x-unit: fen`) not lower than before, and so are these amounts.
 */
export interface SupplementRule {
  /** Paths of lists in `data`, each with the members that make one element different from another. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** Paths of integers in `data`. */
  readonly amounts: readonly string[];
}

/** Effective dates are compared with the last day of the period. */
export interface FilingTypeVersionMetadata {
  readonly version: string;
  readonly from: PlainDate;
  /** Last day, included; absent for the newest. */
  readonly to?: PlainDate;
  readonly note?: Text;
}

/** Verdict on one filing's content. Both lists are bounded; `more` counts what was left out. */
export interface Verdict {
  readonly errors: readonly Violation[];
  readonly warnings: readonly Violation[];
  readonly more: number;
}

/** A rule as data, as `GET .../rules` shows it. */
export interface RuleDefinition {
  readonly id: string;
  readonly severity: 'error' | 'warning';
  /** Where the finding is shown, relative to the payload. */
  readonly pointer: string;
  readonly line?: string;
  readonly title: Text;
  readonly message: Text;
  /** CEL, int64; true means that the filing keeps the rule. */
  readonly expression: string;
  readonly source: string;
  /** Written once, checked for each of these columns: `[column]` in the expression, `{column}` in pointer and message. */
  readonly columns?: readonly string[];
  /** Pointer of a list in the payload: checked for every element, bound to `item`; `{index}` in the pointer. */
  readonly each?: string;
  /** Paths that must all be present, or the rule says nothing. */
  readonly when?: readonly string[];
}

/**
 * A figure that rules read as `constants.<name>` or `constants.<name>[column]`. Whole, a list is an argument of `step`
 * and a table one of `lookup`.
 */
export interface RuleConstant {
  readonly title: Text;
  readonly value: number | readonly number[] | Readonly<Record<string, number>>;
  readonly source: string;
}

/** A figure over a list, computed once before the rules, which read it as `sums.<name>` or `sums.<name>[column]`. */
export interface RuleSum {
  readonly name: string;
  /** Exactly one of the three holds a path in `data` such as `persons[].pension.employer`. */
  readonly sum?: string;
  readonly count?: string;
  readonly distinct?: string;
  /** With `distinct` of a list's elements (`persons[]`): the members that together make one different from another. */
  readonly by?: readonly string[];
  readonly columns?: readonly string[];
}

/**
 * Filings of the same filer that rules read as `others.<name>.<path in data>`. Such rules are warnings, run after acceptance,
 * and say nothing while the filing that they look for does not stand.
 * - `previous`: the period of the same kind just before
 * - `same`: the same period
 * - `within`: all periods inside this one, only if they fill it; a value is the sum over them
 * - `year-before`: the same period a year earlier
 * With `reference`, a path in `data`: the filing with that document number, whatever its date.
 */
export interface OtherFiling {
  readonly title: Text;
  readonly type: string;
  readonly period?: 'previous' | 'same' | 'within' | 'year-before';
  readonly reference?: string;
  /** The versions of the type that the rules read; absent: all of them. A filing of another version counts as not filed. */
  readonly versions?: readonly string[];
  /**
   * Not the filing but one element of a list in it: that which has the same `by` as the rule's `item`. Rules with `each`
   * read its members as `others.<name>.<path in the element>`, and say nothing of an item that has no such element.
   */
  readonly element?: { readonly list: string; readonly by: readonly string[] };
}

/**
 * A figure that differs by region and date, which rules read as `regional.<name>`. Operators load values
 * (`PUT /v1/regions/{region}/figures`); without any, `value` counts, and without that, rules that read it say nothing.
 */
export interface RegionalFigure {
  readonly title: Text;
  readonly value?: number;
  readonly unit: 'fen' | 'basis-points' | 'count';
  readonly source: string;
}

/** What an operator has loaded for the region and date of a filing; undefined: nothing. */
export type Figures = (name: string) => number | undefined;

/** What `rules.json` of a version says, with what it inherits from the version that it extends. */
export interface RuleSet {
  readonly columns: Readonly<Record<string, Text>>;
  readonly constants: Readonly<Record<string, RuleConstant>>;
  readonly let: readonly RuleSum[];
  readonly others: Readonly<Record<string, OtherFiling>>;
  readonly regional: Readonly<Record<string, RegionalFigure>>;
  readonly rules: readonly RuleDefinition[];
}

export interface FilingTypeVersion {
  readonly metadata: FilingTypeVersionMetadata;
  /** JSON Schema 2020-12 of `data`. */
  readonly schema: object;
  readonly rules: readonly RuleDefinition[];
  /** The rules with the columns, constants and sums that they read. */
  readonly ruleSet: RuleSet;
  /** A whole valid payload. */
  readonly example: FilingPayload;
  /** What a filing begins with; absent: the version says nothing of it. */
  readonly prefill?: Prefill;
  /** Schema first; rules only when the schema holds, since a rule may rely on it. */
  check(payload: FilingPayload, figures?: Figures): Verdict;
  /**
   * The rules that read `others`: warnings only. The content has passed `check`.
   * @param others by the name in `ruleSet.others`; more than one with `within`. A name that is not there is not filed.
   */
  compare(
    payload: FilingPayload,
    others: ReadonlyMap<string, readonly FilingPayload[]>,
    figures?: Figures,
  ): readonly Violation[];
}

export interface FilingType {
  readonly metadata: FilingTypeMetadata;
  readonly versions: ReadonlyMap<string, FilingTypeVersion>;
  readonly isEvent: boolean;
  /** The version asked for, or the one in force on the period's last day. */
  resolve(version: string | undefined, period: Period): FilingTypeVersion | undefined;
  /** Undefined when `period` is one that this type has (a whole month, a whole quarter, one day twice, ...). */
  checkPeriod(period: Period): Violation | undefined;
}

/** All filing types of one loading of `schemas/`. Immutable; a reload makes another. */
export interface Catalogue {
  readonly types: ReadonlyMap<string, FilingType>;
}
