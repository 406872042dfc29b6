import { Type } from 'typebox';
import { type FilersContext, obligations } from '../../filers/obligations.ts';
import { prefill } from '../../filers/prefill.ts';
import { isPlainDate } from '../../std/clock.ts';
import { GatewayError } from '../../std/errors.ts';
import { Id, PayloadSchema, TextSchema } from '../filing-schemas.ts';
import { parsePeriod } from '../period-parameter.ts';
import { type Route, route } from '../route.ts';

export type FilerRouteDeps = FilersContext;

const tag = 'filers';
/** An operator may ask, and finds nothing: to run the gateway is not to read what was filed. */
const READERS = ['filer', 'agent', 'office', 'operator'] as const;
const params = Type.Object({
  uscc: Type.String({ maxLength: 18, description: 'Unified social credit code, GB 32100' }),
});
const PlainDateText = Type.String({ format: 'date', description: 'YYYY-MM-DD, Asia/Shanghai' });
const PeriodSchema = Type.Object({ from: PlainDateText, to: PlainDateText });
const Fen = Type.Integer({ minimum: 0, description: 'Fen' });

const duty = {
  type: Type.String(),
  title: TextSchema,
  period: PeriodSchema,
  due: Type.String({ format: 'date', description: 'The last day in time' }),
  state: Type.Enum(['open', 'filed', 'overdue']),
};

const ObligationSchema = Type.Object({
  ...duty,
  office: Type.String({ description: 'Where it is to be filed, or was' }),
  estimated: Type.Boolean({
    description: 'Working days of a year without a published arrangement went into the due date',
  }),
  required: Type.Boolean({
    description: 'False: owed only when there is something to file; such a one is never overdue',
  }),
  filing: Type.Optional(Id),
  late: Type.Optional(Type.Boolean({ description: 'Filed after the due date, or overdue' })),
  lateDays: Type.Optional(Type.Integer({ minimum: 1, description: 'Up to the day of filing, or to today' })),
  amountDue: Type.Optional({ ...Fen, description: 'Fen, as filed; only where something was filed late' }),
  surchargeEstimate: Type.Optional({
    ...Fen,
    description:
      'Fen: 0.05 % a day, up to the day of filing, of what was filed late. An estimate: the gateway does not know what was paid, nor when.',
  }),
});

const ObligationsSchema = Type.Object({
  filer: Type.String(),
  asOf: PlainDateText,
  from: PlainDateText,
  to: PlainDateText,
  items: Type.Array(ObligationSchema, { description: 'By due date' }),
  missing: Type.Array(Type.Object(duty), {
    description: '漏报检查: what is required and not filed, of what is overdue or due in the current month',
  }),
});

const Place = Type.Object({
  pointer: Type.String({ description: 'Into the payload; {index} stands for every element of the list' }),
  title: TextSchema,
  line: Type.Optional(Type.String({ description: "The form's own line (栏次)" })),
});

const PrefillSchema = Type.Object({
  payload: PayloadSchema,
  carriedFrom: Type.Array(Type.Object({ id: Id, version: Type.String(), period: PeriodSchema }), {
    description: 'The newest filing that stands for an earlier period of the same kind',
  }),
  fill: Type.Array(Place, { description: 'Fields left to fill' }),
  zero: Type.Object(
    {
      allowed: Type.Boolean(),
      because: Type.Array(Place, { description: 'What stands in the way; empty when the type has no zero filing' }),
    },
    { description: 'Whether the payload may go as it is, as a zero filing (零申报)' },
  ),
  standing: Type.Optional(
    Type.Object(
      { id: Id, kind: Type.String() },
      { description: 'What stands for the period already: it can only be corrected' },
    ),
  ),
});

export function filerRoutes(deps: FilerRouteDeps): readonly Route[] {
  return [obligationsRoute(deps), prefillRoute(deps)];
}

function obligationsRoute(deps: FilerRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/filers/{uscc}/obligations',
    operationId: 'listObligations',
    tag,
    summary: {
      zh: '应申报清单：期限、状态、漏报检查和滞纳金估算',
      en: 'What a filer owes: due dates, states, what is missing, estimated surcharge',
    },
    access: READERS,
    params,
    query: Type.Object({
      from: Type.Optional(
        Type.String({ description: 'First due date, YYYY-MM-DD; default: the first day of last month', maxLength: 10 }),
      ),
      to: Type.Optional(
        Type.String({
          description: 'Last due date, YYYY-MM-DD; default: the last day of next month. At most 400 days after from',
          maxLength: 10,
        }),
      ),
    }),
    responses: {
      200: {
        description: 'Periodic filings whose due dates lie in the range, as far as the caller may know of them',
        media: { 'application/json': ObligationsSchema },
      },
    },
    errors: ['not-found', 'invalid-parameter'],
    recorded: 'content',
    handle: async (call) => {
      const { from, to } = call.query;
      const query = { filer: call.params.uscc, from: dayOf(from), to: dayOf(to) };
      const owed = await obligations(deps, call.caller, query);
      call.note({ from: owed.from, to: owed.to });
      return Response.json(owed);
    },
  });
}

function prefillRoute(deps: FilerRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/filers/{uscc}/prefill',
    operationId: 'getPrefill',
    tag,
    summary: {
      zh: '预填申报：由上期申报带入期初数、累计数和人员名单',
      en: 'A payload to begin with: what the last filing determines is carried over',
    },
    access: READERS,
    params,
    query: Type.Object({
      type: Type.String({ maxLength: 64 }),
      period: Type.String({
        maxLength: 32,
        description: '2026, 2026-Q4, 2026-10, 2026-10-08 or 2026-10-01/2026-10-31: the period to file for',
      }),
    }),
    responses: {
      200: {
        description: 'A complete payload, valid but for the fields left to fill',
        media: { 'application/json': PrefillSchema },
      },
    },
    errors: ['not-found', 'invalid-parameter', 'not-registered'],
    recorded: 'content',
    handle: async (call) => {
      const { type, period } = call.query;
      const query = { filer: call.params.uscc, type, period: parsePeriod(period) };
      const filled = await prefill(deps, call.caller, query);
      call.note({ type, ...query.period });
      return Response.json(filled);
    },
  });
}

function dayOf(text: string | undefined): string | undefined {
  if (text === undefined || isPlainDate(text)) return text;
  throw new GatewayError('invalid-parameter', {
    detail: { zh: '日期应为存在的日期，格式 YYYY-MM-DD。', en: 'A date must be an existing one, YYYY-MM-DD.' },
  });
}
