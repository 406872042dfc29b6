import { type TSchema, Type } from 'typebox';
import { FIRST_YEAR, LAST_YEAR } from '../../calendar/holidays.ts';
import {
  deleteCalendarYear,
  listCalendarYears,
  putCalendarYear,
  type ReadSettingsContext,
  readCalendarYear,
} from '../../settings/calendar-years.ts';
import {
  deleteDeadline,
  listDeadlines,
  type PutDeadlineContext,
  putDeadline,
  readDeadline,
} from '../../settings/deadlines.ts';
import { putFigures, readFigures } from '../../settings/region-figures.ts';
import { IdText } from '../identity-schemas.ts';
import { answer, json, putResponses } from '../resource-answers.ts';
import { type Route, route } from '../route.ts';
import {
  CalendarYearBody,
  CalendarYearSchema,
  DeadlineBody,
  DeadlineListSchema,
  DeadlineSchema,
  FiguresBody,
} from '../settings-schemas.ts';

export type SettingsRouteDeps = PutDeadlineContext & ReadSettingsContext;

const CALENDAR = 'calendar';
const YearParams = Type.Object({ year: Type.Integer({ minimum: FIRST_YEAR, maximum: LAST_YEAR }) });
const DeadlineParams = Type.Object({ id: IdText });
const RegionParams = Type.Object({
  region: Type.String({ pattern: '^[0-9]{6}$', description: 'Region code, GB/T 2260; 000000 for the whole country.' }),
});
const PageQuery = Type.Object({
  cursor: Type.String({ pattern: '^[A-Za-z0-9._-]{0,64}$', default: '', description: '`next` of the page before.' }),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 100 }),
});

/** What is set is in force in the process that answers, and in all others within 5 s; reading tells what is in force. */
export function settingsRoutes(deps: SettingsRouteDeps): readonly Route[] {
  return [...yearRoutes(deps), ...deadlineRoutes(deps), ...figureRoutes(deps)];
}

function yearRoutes(deps: SettingsRouteDeps): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/calendar/years/{year}',
      operationId: 'putCalendarYear',
      tag: CALENDAR,
      summary: { zh: '载入一年的放假安排', en: "Load a year's arrangement of holidays" },
      access: ['operator'],
      params: YearParams,
      body: { kind: 'json', schema: CalendarYearBody, limitBytes: 64 * 1024 },
      responses: putResponses(CalendarYearSchema),
      errors: ['invalid-resource'],
      recorded: 'administration',
      handle: ({ params, body }) => answer(putCalendarYear(deps, { ...body, year: params.year }), '/year'),
    }),
    route({
      method: 'GET',
      path: '/v1/calendar/years',
      operationId: 'listCalendarYears',
      tag: CALENDAR,
      summary: { zh: '列出已知放假安排的年份', en: 'List the years whose holidays are known' },
      access: 'public',
      responses: { 200: json('The years, earliest first.', listOf(CalendarYearSchema)) },
      handle: () => Response.json({ items: listCalendarYears(deps), next: null }),
    }),
    route({
      method: 'GET',
      path: '/v1/calendar/years/{year}',
      operationId: 'getCalendarYear',
      tag: CALENDAR,
      summary: { zh: '查询一年的放假安排', en: "Read a year's arrangement of holidays" },
      access: 'public',
      params: YearParams,
      responses: { 200: json('The year.', CalendarYearSchema) },
      errors: ['not-found'],
      handle: ({ params }) => Response.json(readCalendarYear(deps, params.year)),
    }),
    route({
      method: 'DELETE',
      path: '/v1/calendar/years/{year}',
      operationId: 'deleteCalendarYear',
      tag: CALENDAR,
      summary: { zh: '撤回载入的放假安排', en: 'Take a loaded year back' },
      access: ['operator'],
      params: YearParams,
      responses: { 204: { description: 'Nothing is loaded any more: what is shipped counts, if the year is.' } },
      recorded: 'administration',
      handle: async ({ params }) => {
        await deleteCalendarYear(deps, params.year);
        return new Response(null, { status: 204 });
      },
    }),
  ];
}

function deadlineRoutes(deps: SettingsRouteDeps): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/calendar/deadlines/{id}',
      operationId: 'putDeadline',
      tag: CALENDAR,
      summary: { zh: '设定或延长申报期限', en: 'Set or extend a deadline' },
      access: ['operator'],
      params: DeadlineParams,
      body: { kind: 'json', schema: DeadlineBody, limitBytes: 64 * 1024 },
      responses: putResponses(DeadlineSchema),
      errors: ['conflict', 'invalid-resource'],
      recorded: 'administration',
      handle: ({ params, body }) => answer(putDeadline(deps, { ...body, id: params.id }), '/id'),
    }),
    route({
      method: 'GET',
      path: '/v1/calendar/deadlines',
      operationId: 'listDeadlines',
      tag: CALENDAR,
      summary: { zh: '列出设定的申报期限', en: 'List the deadlines that were set' },
      access: 'public',
      query: PageQuery,
      responses: { 200: json('Deadlines in the order of their ids.', DeadlineListSchema) },
      handle: ({ query }) => Response.json(listDeadlines(deps, query)),
    }),
    route({
      method: 'GET',
      path: '/v1/calendar/deadlines/{id}',
      operationId: 'getDeadline',
      tag: CALENDAR,
      summary: { zh: '查询设定的申报期限', en: 'Read a deadline that was set' },
      access: 'public',
      params: DeadlineParams,
      responses: { 200: json('The deadline.', DeadlineSchema) },
      errors: ['not-found'],
      handle: ({ params }) => Response.json(readDeadline(deps, params.id)),
    }),
    route({
      method: 'DELETE',
      path: '/v1/calendar/deadlines/{id}',
      operationId: 'deleteDeadline',
      tag: CALENDAR,
      summary: { zh: '取消设定的申报期限', en: 'Take a deadline back' },
      access: ['operator'],
      params: DeadlineParams,
      responses: {
        204: { description: "It does not count any more: the next most specific does, or the type's own." },
      },
      recorded: 'administration',
      handle: async ({ params }) => {
        await deleteDeadline(deps, params.id);
        return new Response(null, { status: 204 });
      },
    }),
  ];
}

function figureRoutes(deps: SettingsRouteDeps): Route[] {
  const path = '/v1/regions/{region}/figures';
  return [
    route({
      method: 'PUT',
      path,
      operationId: 'putFigures',
      tag: CALENDAR,
      summary: { zh: '载入地区数据（费率、基数上下限等）', en: "Replace a region's figures: rates, floors, ceilings" },
      access: ['operator'],
      params: RegionParams,
      body: { kind: 'json', schema: FiguresBody, limitBytes: 1024 * 1024 },
      responses: putResponses(FiguresBody),
      errors: ['conflict', 'invalid-resource'],
      recorded: 'administration',
      handle: ({ params, body }) => answer(putFigures(deps, { region: params.region, figures: body }), '/region'),
    }),
    route({
      method: 'GET',
      path,
      operationId: 'getFigures',
      tag: CALENDAR,
      summary: { zh: '查询地区数据', en: "Read a region's own figures" },
      access: 'public',
      params: RegionParams,
      responses: { 200: json('As they were set; empty when none are.', FiguresBody) },
      handle: ({ params }) => Response.json(readFigures(deps, params.region)),
    }),
  ];
}

function listOf(item: TSchema): TSchema {
  return Type.Object({ items: Type.Array(item), next: Type.Null() });
}
