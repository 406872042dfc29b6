import { isPlainDate } from '../std/clock.ts';
import { AGENCIES } from './filing.ts';
import type { DeadlineRule, FilingTypeMetadata, FilingTypeVersionMetadata, PeriodKind } from './filing-type.ts';
import type { JsonDocument } from './json-document.ts';
import { addDays } from './period-kinds.ts';
import { newAjv, type Report } from './schema-compile.ts';

const text = {
  type: 'object',
  properties: { zh: { type: 'string', minLength: 1 }, en: { type: 'string', pattern: '^[^\\p{Han}]+$' } },
  required: ['zh', 'en'],
  additionalProperties: false,
};
const date = { type: 'string', format: 'date' };
const count = { type: 'integer', minimum: 1, maximum: 3660 };
const rule = (name: string, properties: object, required: string[] = []): object => ({
  type: 'object',
  properties: { rule: { const: name }, ...properties },
  required: ['rule', ...required],
  additionalProperties: false,
});
const PERIODS = ['month', 'quarter', 'half-year', 'year', 'day', 'event'];

const deadline = {
  oneOf: [
    rule('tax-month', {}),
    rule(
      'after-period',
      { months: { ...count, minimum: 0 }, day: { ...count, maximum: 31 }, roll: { type: 'boolean' } },
      ['months', 'day'],
    ),
    rule('after-event', { hours: count, days: count, workingDays: count }),
    rule('none', {}),
  ],
};

const validate = newAjv().compile({
  type: 'object',
  properties: {
    type: { type: 'string', pattern: '^[a-z]+(\\.[a-z0-9-]+)+$', maxLength: 64 },
    agency: { enum: AGENCIES },
    title: text,
    description: text,
    periods: { type: 'array', items: { enum: PERIODS }, minItems: 1, uniqueItems: true },
    filers: {
      type: 'object',
      properties: {
        taxpayerKinds: { type: 'array', items: { enum: ['general', 'small'] }, minItems: 1, uniqueItems: true },
      },
      additionalProperties: false,
    },
    deadline,
    deadlines: { type: 'object', additionalProperties: deadline, minProperties: 1 },
    kinds: {
      type: 'object',
      properties: {
        correction: { type: 'boolean' },
        void: { type: 'boolean' },
        supplement: {
          type: 'object',
          properties: {
            lists: { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' }, minItems: 1 } },
            amounts: { type: 'array', items: { type: 'string' }, uniqueItems: true },
          },
          required: ['lists', 'amounts'],
          additionalProperties: false,
        },
      },
      required: ['correction', 'void'],
      additionalProperties: false,
    },
    obliged: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        properties: {
          period: { enum: PERIODS },
          or: { type: 'array', items: { enum: PERIODS }, minItems: 1, uniqueItems: true },
          required: { type: 'boolean' },
        },
        required: ['period'],
        additionalProperties: false,
      },
    },
    amountDue: { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, uniqueItems: true },
    earlierPeriod: { enum: ['warning', 'refusal'] },
    urgent: { type: 'string', minLength: 1 },
    notice: text,
    status: { enum: ['modelled', 'official'] },
    source: { type: 'string', minLength: 1 },
    versions: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        properties: {
          version: { type: 'string', pattern: '^[0-9A-Za-z][0-9A-Za-z.-]*$', maxLength: 32 },
          from: date,
          to: date,
          note: text,
        },
        required: ['version', 'from'],
        additionalProperties: false,
      },
    },
  },
  required: [
    'type',
    'agency',
    'title',
    'description',
    'periods',
    'deadline',
    'kinds',
    'notice',
    'status',
    'source',
    'versions',
  ],
  additionalProperties: false,
});

/** The metadata of a type, or undefined with findings. Checks shape, then that the versions follow one another day by day. */
export function readTypeFile(document: JsonDocument, report: Report): FilingTypeMetadata | undefined {
  if (!validate(document.value)) {
    for (const error of validate.errors ?? []) report(error.instancePath, `${error.keyword}: ${error.message ?? ''}`);
    return undefined;
  }
  const metadata = document.value as unknown as FilingTypeMetadata;
  if (!metadata.type.startsWith(`${metadata.agency}.`))
    report('/type', `the type of agency ${metadata.agency} must begin with "${metadata.agency}."`);
  if (metadata.periods.includes('event') && metadata.periods.length > 1)
    report('/periods', 'an event type has no other periods');
  checkDeadlines(metadata, report);
  checkObliged(metadata, report);
  checkVersions(metadata.versions, report);
  return metadata;
}

function checkDeadlines({ deadline, deadlines = {}, periods }: FilingTypeMetadata, report: Report): void {
  checkDeadline('/deadline', deadline, periods, report);
  for (const [kind, rule] of Object.entries(deadlines)) {
    const at = `/deadlines/${kind}`;
    if (!(periods as readonly string[]).includes(kind)) report(at, `the type has no period ${kind}`);
    checkDeadline(at, rule, periods, report);
  }
}

function checkDeadline(at: string, rule: DeadlineRule, periods: readonly PeriodKind[], report: Report): void {
  if (rule.rule !== 'after-event') return;
  const given = [rule.hours, rule.days, rule.workingDays].filter((value) => value !== undefined);
  if (given.length !== 1) report(at, 'exactly one of hours, days and workingDays');
  if (!periods.includes('event')) report(at, 'after-event is for event types');
}

function checkObliged({ obliged = [], periods }: FilingTypeMetadata, report: Report): void {
  const seen = new Set<string>();
  for (const [i, { period, or = [] }] of obliged.entries()) {
    for (const kind of [period, ...or]) {
      if (!periods.includes(kind)) report(`/obliged/${i}`, `the type has no period ${kind}`);
      if (kind === 'event') report(`/obliged/${i}`, 'nobody owes an event');
      if (seen.has(kind)) report(`/obliged/${i}`, `${kind} is there twice`);
      seen.add(kind);
    }
  }
}

function checkVersions(versions: readonly FilingTypeVersionMetadata[], report: Report): void {
  const seen = new Set<string>();
  for (const [i, { version, from, to }] of versions.entries()) {
    const at = `/versions/${i}`;
    if (seen.has(version)) report(`${at}/version`, `version ${version} is there twice`);
    seen.add(version);
    if (to !== undefined && isPlainDate(to) && to < from) report(`${at}/to`, 'ends before it begins');
    const next = versions[i + 1];
    if (next === undefined) continue;
    if (to === undefined) report(at, 'only the newest version, the last in the list, may have no end');
    else if (next.from !== addDays(to, 1))
      report(
        `/versions/${i + 1}/from`,
        next.from <= to ? 'overlaps the version before' : 'leaves a hole after the version before',
      );
  }
}
