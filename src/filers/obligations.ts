import { daysLate, surchargeFen } from '../calendar/surcharge.ts';
import { sumAt } from '../domain/carry-over.ts';
import { AGENCIES, type Agency, type Period } from '../domain/filing.ts';
import type { Catalogue, FilingType, PeriodKind } from '../domain/filing-type.ts';
import { addDays, addMonths, lastDayOfMonth } from '../domain/period-kinds.ts';
import type { Directory, Office } from '../identity/records.ts';
import { officeFor } from '../identity/registrations.ts';
import { type Chain, findChains } from '../ingest/chains.ts';
import type { Reader } from '../ingest/read.ts';
import { loadPayload } from '../ingest/standing.ts';
import type { Settings } from '../settings/records.ts';
import { type Clock, type PlainDate, shanghaiDate } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { Database } from '../storage/db.ts';
import { officesOf, viewFiler } from './access.ts';
import { type Duty, dutiesOf, periodsIn, spansDue } from './duties.ts';

export interface FilersContext {
  readonly db: Pick<Database, 'sql'>;
  readonly lanes: number;
  readonly directory: Directory;
  readonly catalogue: () => Catalogue;
  readonly settings: Settings;
  readonly clock: Clock;
}

export interface ObligationsQuery {
  readonly filer: string;
  /** Due dates, both included; absent: from the first day of last month, to the last day of next month. */
  readonly from?: PlainDate | undefined;
  readonly to?: PlainDate | undefined;
}

export interface Obligation {
  readonly type: string;
  readonly title: Text;
  readonly office: string;
  readonly period: Period;
  readonly due: PlainDate;
  /** True when working days of a year without a published arrangement went into it. */
  readonly estimated: boolean;
  readonly state: 'open' | 'filed' | 'overdue';
  /** False: owed only when there is something to file. Such a one is never overdue. */
  readonly required: boolean;
  /** Id of the newest filing that stands for the period. */
  readonly filing?: string;
  /** Filed after the deadline, or not filed and overdue. */
  readonly late?: boolean;
  readonly lateDays?: number;
  /** Fen, as filed; only where something was filed late. */
  readonly amountDue?: number;
  /** Fen, 0.05 % a day up to the day of filing, on what was filed late: the gateway does not know what was paid, nor when. */
  readonly surchargeEstimate?: number;
}

export interface Obligations {
  readonly filer: string;
  readonly asOf: PlainDate;
  readonly from: PlainDate;
  readonly to: PlainDate;
  /** By due date, then type and period. */
  readonly items: readonly Obligation[];
  /** 漏报检查: what is required and not filed, of what is overdue or due this month. */
  readonly missing: readonly Pick<Obligation, 'type' | 'title' | 'period' | 'due' | 'state'>[];
}

const MAX_DAYS = 400;
/** Spans before the first due date that may show by which kind of period the filer files. */
const HABIT_DAYS = 366;
/** Late filings whose contents are read for their amounts; of more, the newest. */
const MAX_READ = 60;

/** What a filer owes with due dates between two days, what of it is filed, and what is missing. */
export async function obligations(ctx: FilersContext, reader: Reader, query: ObligationsQuery): Promise<Obligations> {
  const today = shanghaiDate(ctx.clock.now());
  const range = rangeOf(query, today);
  const view = await viewFiler(ctx.directory, reader, query.filer, today);
  const registered = await officesOf(ctx.directory, view.filer);
  const ends = spansDue(range.from, range.to);
  const duties = dutiesOf(ctx.catalogue(), {
    filer: view.filer,
    offices: officesToday(view.filer.registrations, registered, today),
    officeOf: (code) => registered.get(code),
    maySee: view.maySee,
    from: addDays(ends.from, -HABIT_DAYS),
    to: ends.to,
  });
  const owed = await owedPeriods(ctx, view.filer.id, relevant(ctx.settings, duties, range), registered);
  const found = owed.flatMap((each) => obligationOf(ctx, each, range, today, registered));
  const seen = found.filter(({ item }) => view.office === undefined || item.office === view.office);
  const items = await withAmounts(ctx, seen);
  items.sort(
    (a, b) => compareText(a.due, b.due) || compareText(a.type, b.type) || compareText(a.period.to, b.period.to),
  );
  return { filer: view.filer.id, asOf: today, ...range, items, missing: missingOf(items, today) };
}

function rangeOf(
  { from, to }: ObligationsQuery,
  today: PlainDate,
): { readonly from: PlainDate; readonly to: PlainDate } {
  const first = from ?? addMonths(today, -1);
  const last = to ?? lastDayOfMonth(addMonths(first > today ? first : today, 1));
  if (first <= last && last <= addDays(first, MAX_DAYS)) return { from: first, to: last };
  throw new GatewayError('invalid-parameter', {
    detail: {
      zh: `from 不得晚于 to，且相隔不超过 ${MAX_DAYS} 天。`,
      en: `from must not be later than to, nor more than ${MAX_DAYS} days before it.`,
    },
  });
}

function officesToday(
  registrations: Parameters<typeof officeFor>[0],
  registered: ReadonlyMap<string, Office>,
  today: PlainDate,
): Map<Agency, Office> {
  const offices = new Map<Agency, Office>();
  for (const agency of AGENCIES) {
    const office = officeFor(registrations, registered, agency, today);
    if (office !== undefined) offices.set(agency, office);
  }
  return offices;
}

/** The duties with a deadline in the range, and those of a year before them that show the filer's habit. */
function relevant(settings: Settings, duties: readonly Duty[], range: { from: PlainDate; to: PlainDate }): Duty[] {
  const firstOf = new Map<FilingType, PlainDate>();
  const isDue = new Set(
    duties.filter(({ type, kinds, span, office }) =>
      kinds.some((kind) =>
        periodsIn(kind, span).some((period) => {
          const due = settings.due(type.metadata, office.region, period)?.date;
          return due !== undefined && range.from <= due && due <= range.to;
        }),
      ),
    ),
  );
  for (const { type, span } of isDue) {
    const known = firstOf.get(type);
    if (known === undefined || span.from < known) firstOf.set(type, span.from);
  }
  return duties.filter((duty) => {
    if (isDue.has(duty)) return true;
    const first = firstOf.get(duty.type);
    return (
      duty.kinds.length > 1 &&
      first !== undefined &&
      duty.span.to < first &&
      duty.span.to >= addDays(first, -HABIT_DAYS)
    );
  });
}

interface Owed {
  readonly duty: Duty;
  readonly period: Period;
  readonly chain: Chain;
}

/**
 * The periods that are owed, by one kind for each span: the first kind of which something stands in it, else the one by which
 * the filer filed the span before, else what the type says.
 */
async function owedPeriods(
  ctx: FilersContext,
  filer: string,
  duties: readonly Duty[],
  registered: ReadonlyMap<string, Office>,
): Promise<Owed[]> {
  const slots = duties.flatMap((duty) =>
    duty.kinds.flatMap((kind) => periodsIn(kind, duty.span).map((period) => ({ duty, kind, period }))),
  );
  const officesFor = (agency: Agency): string[] =>
    [...registered.values()].filter((office) => office.agency === agency).map(({ code }) => code);
  const chains = await findChains(
    { sql: ctx.db.sql, lanes: ctx.lanes },
    slots.map(({ duty: { type }, period }) => ({
      filer,
      type: type.metadata.type,
      period,
      offices: officesFor(type.metadata.agency),
    })),
  );
  const known = slots.map((slot, i) => ({ ...slot, chain: chains[i] as Chain }));
  const habits = new Map<string, PeriodKind>();
  return duties.flatMap((duty) => {
    const habit = `${duty.type.metadata.type} ${duty.kinds.join()}`;
    const ofSpan = known.filter((slot) => slot.duty === duty);
    const filed = duty.kinds.find((kind) =>
      ofSpan.some((slot) => slot.kind === kind && slot.chain.standing.length > 0),
    );
    if (filed !== undefined) habits.set(habit, filed);
    const owed = filed ?? habits.get(habit) ?? duty.kinds[0];
    return ofSpan.filter(({ kind }) => kind === owed);
  });
}

interface Found {
  readonly item: Obligation;
  readonly type: FilingType;
  readonly chain: Chain;
}

function obligationOf(
  ctx: FilersContext,
  { duty: { type, office: today_, required }, period, chain }: Owed,
  range: { readonly from: PlainDate; readonly to: PlainDate },
  today: PlainDate,
  registered: ReadonlyMap<string, Office>,
): Found[] {
  const [first] = chain.standing;
  const head = chain.standing.at(-1);
  const office = (head && registered.get(head.office)) ?? today_;
  const due = ctx.settings.due(type.metadata, office.region, period);
  if (due === undefined || due.date < range.from || due.date > range.to) return [];
  const until = first === undefined ? today : shanghaiDate(first.receivedAt);
  const days = first === undefined && !required ? 0 : daysLate(due.date, until);
  const item: Obligation = {
    type: type.metadata.type,
    title: type.metadata.title,
    office: office.code,
    period,
    due: due.date,
    estimated: due.estimated,
    state: head !== undefined ? 'filed' : days > 0 ? 'overdue' : 'open',
    required,
    ...(head === undefined ? {} : { filing: head.id }),
    ...(head !== undefined || days > 0 ? { late: days > 0 } : {}),
    ...(days > 0 ? { lateDays: days } : {}),
  };
  return [{ item, type, chain }];
}

/** With what is payable and the surcharge, where an original or a correction came late. */
async function withAmounts(ctx: FilersContext, found: readonly Found[]): Promise<Obligation[]> {
  let left = MAX_READ;
  const items: Obligation[] = [];
  for (const { item, type, chain } of found.toReversed()) {
    const isLate = chain.standing.some(({ receivedAt }) => daysLate(item.due, shanghaiDate(receivedAt)) > 0);
    const read = chain.standing.length;
    if (!isLate || type.metadata.amountDue === undefined || read > left) {
      items.push(item);
      continue;
    }
    left -= read;
    items.push({ ...item, ...(await amountsOf(ctx, type.metadata.amountDue, item.due, chain)) });
  }
  return items;
}

/** A correction in time changes what is payable; one that comes late adds to the surcharge only what it raises the amount by. */
async function amountsOf(
  ctx: FilersContext,
  paths: readonly string[],
  due: PlainDate,
  { standing }: Chain,
): Promise<Pick<Obligation, 'amountDue' | 'surchargeEstimate'>> {
  let amount = 0;
  let covered = 0;
  let surcharge: number | undefined = 0;
  for (const link of standing) {
    amount = Math.max(sumAt((await loadPayload(ctx.db.sql, link)).data, paths), 0);
    const days = daysLate(due, shanghaiDate(link.receivedAt));
    const part = days === 0 ? 0 : surchargeFen(Math.max(amount - covered, 0), days);
    surcharge = surcharge === undefined || part === undefined ? undefined : surcharge + part;
    covered = days === 0 ? amount : Math.max(covered, amount);
  }
  return { amountDue: amount, ...(surcharge === undefined ? {} : { surchargeEstimate: surcharge }) };
}

function missingOf(items: readonly Obligation[], today: PlainDate): Obligations['missing'] {
  return items
    .filter(
      ({ required, state, due }) =>
        required && state !== 'filed' && (state === 'overdue' || due.slice(0, 7) === today.slice(0, 7)),
    )
    .map(({ type, title, period, due, state }) => ({ type, title, period, due, state }));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
