import { Type } from 'typebox';
import { PARTY_KINDS } from '../../identity/records.ts';
import { ERROR_CODES, GatewayError } from '../../std/errors.ts';
import { type Constant, constant, constantResponse } from '../constant.ts';
import type { Limits } from '../limits.ts';
import { PROBLEMS, problemType } from '../problem.ts';
import { type Route, route } from '../route.ts';
import { type PageRouteDeps, pageRoutes } from './pages.ts';

export interface SystemRouteDeps extends Omit<PageRouteDeps, 'isReady'> {
  /** Whether the gateway can commit now; may take as long as it likes, it is not waited for beyond two seconds. */
  readonly canCommit: () => Promise<boolean>;
  /** Prometheus text exposition. */
  readonly exposition: () => Promise<string>;
  readonly expositionType: string;
  readonly limits: Limits;
  /** The OpenAPI document as it was generated at build time. */
  readonly openApi: () => string;
}

const READY_WITHIN_MS = 2_000;
const tag = 'system';

const TextSchema = Type.Object({ zh: Type.String(), en: Type.String() });
const JSON_TYPE = 'application/json';

export function systemRoutes(deps: SystemRouteDeps): readonly Route[] {
  const isReady = () => within(deps.canCommit(), READY_WITHIN_MS);
  return [...healthRoutes(deps, isReady), ...referenceRoutes(deps), ...pageRoutes({ ...pick(deps), isReady })];
}

/** A proxy that stands for deps must not be spread. */
function pick({ env, issuer, catalogue }: SystemRouteDeps): Omit<PageRouteDeps, 'isReady'> {
  return { env, issuer, catalogue };
}

/** False when `promise` fails or takes longer. */
function within(promise: Promise<boolean>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    promise.then(resolve, () => resolve(false)).finally(() => clearTimeout(timer));
  });
}

function healthRoutes(deps: SystemRouteDeps, isReady: () => Promise<boolean>): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/healthz',
      operationId: 'getHealth',
      tag,
      summary: { zh: '进程是否存活', en: 'Whether the process lives' },
      access: 'public',
      responses: {
        200: { description: 'It lives', media: { [JSON_TYPE]: Type.Object({ status: Type.Literal('alive') }) } },
      },
      handle: () => json({ status: 'alive' }, NO_STORE),
    }),
    route({
      method: 'GET',
      path: '/readyz',
      operationId: 'getReadiness',
      tag,
      summary: { zh: '能否受理申报', en: 'Whether it can commit' },
      access: 'public',
      responses: {
        200: { description: 'It can', media: { [JSON_TYPE]: Type.Object({ status: Type.Literal('ready') }) } },
      },
      errors: ['unavailable'],
      handle: async () => {
        if (!(await isReady())) throw new GatewayError('unavailable');
        return json({ status: 'ready' }, NO_STORE);
      },
    }),
    route({
      method: 'GET',
      path: '/metrics',
      operationId: 'getMetrics',
      tag,
      summary: { zh: 'Prometheus 指标', en: 'Metrics for Prometheus' },
      access: 'public',
      responses: { 200: { description: 'Text exposition', media: { 'text/plain': Type.String() } } },
      handle: async () =>
        new Response(await deps.exposition(), { headers: { 'Content-Type': deps.expositionType, ...NO_STORE } }),
    }),
  ];
}

const NO_STORE = { 'Cache-Control': 'no-store' };

function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(value), { headers: { 'Content-Type': JSON_TYPE, ...headers } });
}

const ProblemDefinitionSchema = Type.Object({
  code: Type.String(),
  type: Type.String(),
  status: Type.Integer(),
  retryable: Type.Boolean({ description: 'Whether the same request, sent again later, can succeed' }),
  title: TextSchema,
  meaning: TextSchema,
});

const LimitSchema = Type.Object({
  party: Type.String(),
  role: Type.String(),
  ratePerSecond: Type.Number({ description: 'Requests, and filings each for itself, that may go on for ever' }),
  burst: Type.Integer({ description: 'As many at once' }),
  remaining: Type.Integer({ description: 'That would pass now' }),
  resetSeconds: Type.Integer({ description: 'Until the whole burst is there again' }),
});

function referenceRoutes(deps: SystemRouteDeps): readonly Route[] {
  let document: Constant | undefined;
  return [
    route({
      method: 'GET',
      path: '/openapi.json',
      operationId: 'getOpenApi',
      tag,
      summary: { zh: '本接口的 OpenAPI 3.1 描述', en: 'This API in OpenAPI 3.1' },
      access: 'public',
      responses: {
        200: { description: 'The document', media: { [JSON_TYPE]: Type.Object({}) } },
        304: { description: 'Not changed' },
      },
      handle: (call) => {
        document ??= constant(deps.openApi(), JSON_TYPE);
        return constantResponse(call, document);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/problems',
      operationId: 'listProblems',
      tag,
      summary: { zh: '全部错误代码及其含义', en: 'Every error code and what it means' },
      access: 'public',
      responses: {
        200: {
          description: 'A closed set',
          media: { [JSON_TYPE]: Type.Object({ items: Type.Array(ProblemDefinitionSchema) }) },
        },
      },
      handle: () => json({ items: PROBLEM_LIST }),
    }),
    route({
      method: 'GET',
      path: '/v1/limits',
      operationId: 'getLimits',
      tag,
      summary: { zh: '本主体的请求限额', en: "The caller's own limits" },
      access: PARTY_KINDS,
      responses: { 200: { description: 'As they stand', media: { [JSON_TYPE]: LimitSchema } } },
      handle: ({ caller }) => {
        if (caller.role === 'anonymous') throw new GatewayError('unauthenticated');
        const { policy, ...state } = deps.limits.state(caller.party, caller.role);
        return json({ party: caller.party, role: caller.role, ...policy, ...state });
      },
    }),
  ];
}

const PROBLEM_LIST = ERROR_CODES.map((code) => {
  const { status, retryable, title, meaning } = PROBLEMS[code];
  return { code, type: problemType(code), status, retryable, title, meaning };
});
