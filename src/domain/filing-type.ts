import type { PlainDate } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { Agency, FilingPayload, Period } from './filing.ts';

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
  readonly kinds: { readonly correction: boolean; readonly void: boolean };
  /** The notice (公告) or law that the form follows. */
  readonly notice: Text;
  /** `modelled` until a person has compared it with the notice. */
  readonly status: 'modelled' | 'official';
  readonly source?: string;
  readonly versions: readonly FilingTypeVersionMetadata[];
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

/** What `rules.json` of a version says, with what it inherits from the version that it extends. */
export interface RuleSet {
  readonly columns: Readonly<Record<string, Text>>;
  readonly constants: Readonly<Record<string, RuleConstant>>;
  readonly let: readonly RuleSum[];
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
  /** Schema first; rules only when the schema holds, since a rule may rely on it. */
  check(payload: FilingPayload): Verdict;
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
