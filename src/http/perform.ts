import { GatewayError, type Violation } from '../std/errors.ts';
import { type JsonFault, parseStrictJson } from '../std/json.ts';
import type { Text } from '../std/text.ts';
import type { Authenticate } from './auth.ts';
import type { RequestCall } from './call.ts';
import { type Limits, rateLimitHeaders } from './limits.ts';
import { isUtf8ContentType, preferredMediaType } from './negotiate.ts';
import { type BodyDefinition, bodyLimitBytes, type Caller, type Route, successMedia } from './route.ts';
import { type Check, type Convert, compileCheck, compileConvert } from './schema.ts';

export const JSON_LIMITS = { depth: 32, values: 200_000 };

/** Fields in a request's head. Node would leave out what is beyond its own bound without a word. */
export const HEADERS_MAX = 100;

const STREAMED_MEDIA = ['application/x-ndjson', 'text/event-stream'];

interface Parameters {
  readonly convert: Convert;
  readonly check: Check;
}

/** Labels of a metric. */
export type Labels = Readonly<Record<string, string>>;

interface MetricLabels {
  readonly operationId: string;
  readonly operationLabel: Labels;
  /** Of the answers so far: by status, or by the code of a problem. */
  readonly labels: Map<number | string, Labels>;
}

export function metricLabels(operationId: string): MetricLabels {
  return { operationId, operationLabel: { operation: operationId }, labels: new Map() };
}

/** A route with everything worked out that does not depend on the request. */
export interface CompiledRoute extends MetricLabels {
  readonly route: Route;
  readonly limitBytes: number;
  readonly cacheControl: string;
  /** Media types that a success can have, when there is a choice. */
  readonly choices: readonly string[] | undefined;
  /** Whether a success may come as a stream. */
  readonly isStreamed: boolean;
  readonly accepted: ReadonlySet<string>;
  readonly path: Parameters | undefined;
  readonly query: Parameters | undefined;
  readonly body: Check | undefined;
}

export function compileRoute(route: Route): CompiledRoute {
  const produced = successMedia(route);
  return {
    route,
    ...metricLabels(route.operationId),
    limitBytes: bodyLimitBytes(route.body),
    // Whatever is behind a token is somebody's data; what is public may be kept and asked about again.
    cacheControl: route.access === 'public' && route.method === 'GET' ? 'no-cache' : 'no-store',
    choices: produced.length > 1 ? produced : undefined,
    isStreamed: STREAMED_MEDIA.some((type) => produced.includes(type)),
    accepted: new Set(acceptedTypes(route.body)),
    path: route.params && { convert: compileConvert(route.params), check: compileCheck(route.params, '/path') },
    query: route.query && { convert: compileConvert(route.query), check: compileCheck(route.query, '/query') },
    body: route.body?.kind === 'json' ? compileCheck(route.body.schema, '') : undefined,
  };
}

function acceptedTypes(body: BodyDefinition<never> | Route['body']): readonly string[] {
  if (body === undefined) return [];
  return body.kind === 'json' ? ['application/json'] : Object.keys(body.media);
}

/** The way of every request that a route takes. Who asks comes before what is asked: strangers learn nothing of it. */
export function perform(
  compiled: CompiledRoute,
  call: RequestCall,
  authenticate: Authenticate,
  limits: Limits | undefined,
): Promise<Response> | Response {
  // A signed filing has no token, and its body is the handler's to read: nothing to wait for.
  const hasNothingToAwait = call.headers.authorization === undefined && compiled.body === undefined;
  if (!hasNothingToAwait) return performAwaiting(compiled, call, authenticate, limits);
  checkHead(call);
  checkRequest(compiled, call, limits);
  return compiled.route.handle(call);
}

async function performAwaiting(
  compiled: CompiledRoute,
  call: RequestCall,
  authenticate: Authenticate,
  limits: Limits | undefined,
): Promise<Response> {
  await admit(compiled, call, authenticate, limits);
  return compiled.route.handle(call);
}

/** All that comes before the handler. */
export async function admit(
  compiled: CompiledRoute,
  call: RequestCall,
  authenticate: Authenticate,
  limits: Limits | undefined,
): Promise<void> {
  checkHead(call);
  const { authorization } = call.headers;
  if (authorization !== undefined) call.caller = await authenticate(authorization);
  checkRequest(compiled, call, limits);
  if (compiled.body !== undefined) call.body = await readJson(compiled.body, call);
}

function checkHead(call: RequestCall): void {
  if (call.headerCount > HEADERS_MAX) throw new GatewayError('header-too-large');
}

/** Everything that can be told without the body. */
function checkRequest(compiled: CompiledRoute, call: RequestCall, limits: Limits | undefined): void {
  const { route } = compiled;
  // Before what may be refused: a refusal is work too, and a row of the audit trail where it is recorded.
  if (limits !== undefined && call.caller.role !== 'anonymous') takeFromLimit(limits, call.caller, call);
  if (route.access !== 'public') checkAccess(route.access, call);
  if (compiled.choices !== undefined) checkAcceptable(compiled.choices, call);
  if (compiled.path !== undefined || compiled.query !== undefined) readParameters(compiled, call);
  if (route.body !== undefined) checkMediaType(compiled, call);
}

function checkAccess(roles: readonly string[], call: RequestCall): void {
  const { role } = call.caller;
  if (role === 'anonymous') throw new GatewayError('unauthenticated');
  if (!roles.includes(role)) throw new GatewayError('forbidden');
}

function takeFromLimit(limits: Limits, caller: Exclude<Caller, { role: 'anonymous' }>, call: RequestCall): void {
  try {
    limits.admit(caller.party, caller.role);
  } finally {
    call.extraHeaders = rateLimitHeaders(caller.role, limits.state(caller.party, caller.role));
  }
}

function checkAcceptable(choices: readonly string[], call: RequestCall): void {
  if (preferredMediaType(call.header('accept'), choices) !== undefined) return;
  throw new GatewayError('not-acceptable', { members: { available: choices } });
}

function readParameters({ path, query }: CompiledRoute, call: RequestCall): void {
  const params = path?.convert(call.pathValues());
  const asked = query?.convert(call.queryValues());
  const errors = [...(path?.check(params) ?? []), ...(query?.check(asked) ?? [])];
  if (errors.length > 0) throw new GatewayError('invalid-parameter', { errors });
  call.params = params;
  call.query = asked;
}

function checkMediaType(compiled: CompiledRoute, call: RequestCall): void {
  const contentType = call.headers['content-type'] ?? '';
  if (compiled.accepted.has(contentType)) return;
  const isKnown = compiled.accepted.has(call.mediaType) && isUtf8ContentType(contentType);
  if (isKnown || (compiled.body !== undefined && hasNoBody(call))) return;
  const accepted = [...compiled.accepted];
  throw new GatewayError('unsupported-media-type', {
    detail: {
      zh: `请求正文的 Content-Type 应为 ${accepted.join('、')}（UTF-8）。`,
      en: `The Content-Type of the body must be ${accepted.join(' or ')} (UTF-8).`,
    },
    members: { accepted },
  });
}

function hasNoBody(call: RequestCall): boolean {
  const { headers } = call;
  if (headers['content-type'] !== undefined || headers['transfer-encoding'] !== undefined) return false;
  return headers['content-length'] === undefined || headers['content-length'] === '0';
}

async function readJson(check: Check, call: RequestCall): Promise<unknown> {
  // No body at all is the object without members: the check then says which are missing, if any are.
  const text = (await call.text()) || '{}';
  const result = parseStrictJson(text, JSON_LIMITS);
  if (!result.ok) throw malformedJson(result.fault);
  const errors: readonly Violation[] = check(result.value);
  if (errors.length > 0) throw new GatewayError('invalid-resource', { errors });
  return result.value;
}

const FAULT_TEXTS: Readonly<Record<JsonFault['reason'], Text>> = {
  syntax: { zh: '不是合法的 JSON', en: 'not valid JSON' },
  'byte-order-mark': { zh: '开头有字节顺序标记（BOM）', en: 'it begins with a byte order mark' },
  'too-deep': { zh: '嵌套过深', en: 'nested too deeply' },
  'too-many-values': { zh: '内容项过多', en: 'too many values' },
  'duplicate-member': { zh: '同一对象内成员重名', en: 'a member occurs twice in one object' },
  'reserved-member': { zh: '含有保留的成员名', en: 'it holds a reserved member name' },
  'unsafe-number': { zh: '数字超出可精确表示的范围', en: 'a number is beyond exact range' },
  'lone-surrogate': { zh: '含有不成对的代理字符', en: 'it holds a lone surrogate' },
};

/** What is wrong with a JSON text, and where; also for texts that a route reads itself. */
function malformedJson(fault: JsonFault): GatewayError {
  const words = FAULT_TEXTS[fault.reason];
  const isPlaced = fault.reason !== 'syntax';
  return new GatewayError('malformed-json', {
    detail: {
      zh: isPlaced ? `JSON 有误：${words.zh}（第 ${fault.at + 1} 个字符）。` : `JSON 有误：${words.zh}。`,
      en: isPlaced
        ? `The JSON is refused: ${words.en} (character ${fault.at + 1}).`
        : `The JSON is refused: ${words.en}.`,
    },
    members: { reason: fault.reason },
  });
}
