import { Type } from 'typebox';
import { IdText } from './identity-schemas.ts';

// What operators set, as JSON Schema: for the routes and for the OpenAPI document. What depends on other members, on the calendar or
// on the filing types is checked by the verbs.

const Words = Type.String({ minLength: 1, maxLength: 500, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
const PlainDate = Type.String({ format: 'date', description: 'YYYY-MM-DD, Asia/Shanghai' });
const Instant = Type.String({ format: 'date-time', description: 'When an operator set it.' });
const Day = Type.String({ pattern: '^[0-9]{2}-[0-9]{2}$', description: 'MM-DD' });

const yearMembers = {
  off: Type.Array(Type.String({ pattern: '^[0-9]{2}-[0-9]{2}(/[0-9]{2}-[0-9]{2})?$' }), {
    maxItems: 100,
    description: 'Days off, weekends inside a holiday included: MM-DD or MM-DD/MM-DD, both included.',
  }),
  work: Type.Array(Day, { maxItems: 100, description: 'Saturdays and Sundays worked in exchange.' }),
  notice: Type.String({ ...Words, description: 'Where it was published.' }),
  taxDue: Type.Optional(
    Type.Array(Day, {
      minItems: 12,
      maxItems: 12,
      description: "The tax administration's own last days for filing, January to December; they go before the rule.",
    }),
  ),
};
const verified = { description: 'False for a draft: what is computed from it stays an estimate.' };
export const CalendarYearBody = Type.Object(
  { ...yearMembers, verified: Type.Boolean({ ...verified, default: true }) },
  { additionalProperties: false },
);
export const CalendarYearSchema = Type.Object({
  year: Type.Integer(),
  ...yearMembers,
  verified: Type.Boolean(verified),
  shipped: Type.Boolean({ description: 'True when it comes with the gateway; false when an operator has set it.' }),
  setAt: Type.Optional(Instant),
});

const rule = Type.Union(
  [
    Type.Object({ rule: Type.Literal('tax-month') }, { additionalProperties: false }),
    Type.Object(
      {
        rule: Type.Literal('after-period'),
        months: Type.Integer({ minimum: 0, maximum: 12 }),
        day: Type.Integer({ minimum: 1, maximum: 31 }),
        roll: Type.Optional(Type.Boolean()),
      },
      { additionalProperties: false },
    ),
    Type.Object(
      {
        rule: Type.Literal('after-event'),
        hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 8_784 })),
        days: Type.Optional(Type.Integer({ minimum: 1, maximum: 366 })),
        workingDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 366 })),
      },
      { additionalProperties: false },
    ),
    Type.Object({ rule: Type.Literal('none') }, { additionalProperties: false }),
  ],
  {
    description:
      'tax-month: the tax filing period (征期) of the month after; after-period: a day of a month after the period, moved on to a ' +
      "working day when `roll`; after-event: so long after the event's day; none: never late.",
  },
);
const deadlineMembers = {
  types: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
    minItems: 1,
    maxItems: 100,
    description: 'Filing types; `*` as the last segment for all below it: `tax.*`.',
  }),
  region: Type.Optional(
    Type.String({
      pattern: '^[0-9]{6}$',
      description: 'Region code, GB/T 2260: for offices in it. Absent: everywhere.',
    }),
  ),
  periods: Type.Optional(
    Type.Object(
      { from: PlainDate, to: PlainDate },
      { additionalProperties: false, description: 'For periods that end on one of these days. Absent: all.' },
    ),
  ),
  rule: Type.Optional(rule),
  dueDate: Type.Optional(
    Type.String({ format: 'date', description: 'The last day in time, instead of a rule; needs `periods`.' }),
  ),
  reason: Type.Object({ zh: Words, en: Words }, { additionalProperties: false }),
};
export const DeadlineBody = Type.Object(deadlineMembers, {
  additionalProperties: false,
  description:
    'When several fit a filing, the first of these that differs decides: the one that names its type more closely, ' +
    'the one for the smaller region, a date before a rule, the one set later.',
});
export const DeadlineSchema = Type.Object({ id: IdText, ...deadlineMembers, setAt: Instant });
export const DeadlineListSchema = Type.Object({
  items: Type.Array(DeadlineSchema),
  next: Type.Union([Type.String(), Type.Null()]),
});

const Figure = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100, description: "As a filing type's rules name it." }),
    from: PlainDate,
    to: Type.Optional(PlainDate),
    value: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'In the unit that the filing type gives: fen, basis points or a count.',
    }),
    source: Words,
  },
  { additionalProperties: false },
);
export const FiguresBody = Type.Array(Figure, {
  maxItems: 500,
  description:
    'The figures of a region, each between two days, both included. What a region has not, it takes from its city, its province, then the ' +
    'country.',
});
