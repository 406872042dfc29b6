import type { TSchema } from 'typebox';
import { ERROR_CODES, type ErrorCode } from '../std/errors.ts';
import { PROBLEM_MEDIA_TYPE, PROBLEMS, problemType } from './problem.ts';
import { bodyLimitBytes, type ResponseDefinition, type Route, successMedia } from './route.ts';

/** An OpenAPI 3.1 document, as far as we build one. */
export type OpenApiDocument = Readonly<Record<string, unknown>>;

type Json = Readonly<Record<string, unknown>>;

/** The document of all routes, made from the same schemas that validate. Deterministic: the same routes, the same bytes. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const schemas: Record<string, unknown> = { ...SHARED_SCHEMAS };
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace('*}', '}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(route, schemas);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: '申报网关 Shenbao declaration gateway',
      version,
      summary: '签名申报进，可验证回执出 · signed filings in, verifiable receipts out',
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: { schemas, securitySchemes: SECURITY_SCHEMES },
  };
}

const DESCRIPTION = `Accounting software submits signed declarations; offices pull them in batches that prove themselves complete.

- JSON, UTF-8. Times: RFC 3339, UTC, milliseconds. Dates: \`YYYY-MM-DD\`, Asia/Shanghai. Digests: SHA-256, unpadded base64url. Money: integer fen.
- Every error is \`application/problem+json\` (RFC 9457); \`GET /v1/problems\` lists the codes. Texts follow \`Accept-Language\` (zh, en).
- Every answer has \`X-Request-Id\`. Sending a filing again is always safe: the original receipt comes back.
- Submitting needs no token, the filing's own signature authenticates it. Reading needs one.`;

const SECURITY_SCHEMES = {
  token: {
    type: 'oauth2',
    description:
      'Client credentials with private_key_jwt (RFC 7523): `client_id` is the party’s id, the assertion is signed with one of its registered keys. Tokens last ten minutes.',
    flows: { clientCredentials: { tokenUrl: '/oauth2/token', scopes: {} } },
  },
};

const TEXT_SCHEMA = {
  type: 'object',
  required: ['zh', 'en'],
  properties: { zh: { type: 'string' }, en: { type: 'string' } },
};

const SHARED_SCHEMAS = {
  Text: TEXT_SCHEMA,
  Violation: {
    type: 'object',
    description: 'One finding. It points at the place and never repeats the value.',
    required: ['pointer', 'code', 'severity', 'message'],
    properties: {
      pointer: {
        type: 'string',
        description:
          'RFC 6901: into the payload for filings, into the body elsewhere; `/path/…` and `/query/…` for parameters',
      },
      code: { type: 'string', examples: ['schema', 'rule'] },
      rule: { type: 'string', examples: ['VAT-19'] },
      line: { type: 'string', description: "The form's own line number; with `file`, the line in it" },
      file: {
        type: 'string',
        description: 'A faulty file of the gateway’s own, such as `schemas/tax/stamp/type.json`',
      },
      severity: { enum: ['error', 'warning'] },
      message: { $ref: '#/components/schemas/Text' },
    },
  },
  Problem: {
    type: 'object',
    description: 'RFC 9457. Extension members depend on the code.',
    required: ['type', 'title', 'status', 'detail', 'instance', 'code', 'retryable'],
    properties: {
      type: { type: 'string', examples: [problemType('not-found')] },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      instance: { type: 'string', description: 'The request id' },
      code: { enum: ERROR_CODES },
      retryable: { type: 'boolean', description: 'Whether the same request, sent again later, can succeed' },
      errors: { type: 'array', maxItems: 100, items: { $ref: '#/components/schemas/Violation' } },
      more: { type: 'integer', description: 'Findings beyond those listed' },
    },
  },
};

function operation(route: Route, schemas: Record<string, unknown>): Json {
  const codes = problemCodes(route);
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: `${route.summary.zh} · ${route.summary.en}`,
    'x-summary': route.summary,
    'x-access': route.access,
    ...(route.recorded === undefined ? {} : { 'x-recorded': route.recorded }),
    'x-error-codes': codes,
    security: route.access === 'public' ? [] : [{ token: [] }],
    ...parameters(route, schemas),
    ...requestBody(route, schemas),
    responses: { ...successes(route, schemas), ...problems(codes) },
  };
}

/** Codes that an operation can answer with: its own, and those that its shape brings along. */
export function problemCodes(route: Route): readonly ErrorCode[] {
  const codes = new Set<ErrorCode>([
    'malformed',
    'unauthenticated',
    'header-too-large',
    'internal',
    'unavailable',
    ...(route.errors ?? []),
  ]);
  const add = (applies: boolean, ...more: ErrorCode[]): void => {
    if (applies) for (const code of more) codes.add(code);
  };
  add(route.access !== 'public', 'forbidden', 'party-suspended', 'rate-limited');
  add(route.params !== undefined || route.query !== undefined, 'invalid-parameter');
  add(successMedia(route).length > 1, 'not-acceptable');
  add(route.body !== undefined, 'too-large', 'unsupported-media-type', 'timeout');
  add(route.body?.kind === 'json', 'malformed-json', 'invalid-resource');
  add(route.recorded !== undefined, 'overloaded', 'rate-limited');
  add(route.recorded === 'administration', 'outcome-unknown');
  return ERROR_CODES.filter((code) => codes.has(code));
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, Json>>;
  readonly required?: readonly string[];
}

function parameters(route: Route, schemas: Record<string, unknown>): Json {
  const names = [...route.path.matchAll(/\{([^}*]+)(\*?)\}/g)];
  const params = (route.params ?? {}) as ObjectSchema;
  const query = (route.query ?? {}) as ObjectSchema;
  const list = [
    ...names.map(([, name = '', rest]) => ({
      name,
      in: 'path',
      required: true,
      ...(rest === '*' ? { description: 'The rest of the path; may hold slashes' } : {}),
      schema: plain(params.properties?.[name] ?? { type: 'string' }, schemas),
    })),
    ...Object.entries(query.properties ?? {}).map(([name, schema]) => ({
      name,
      in: 'query',
      required: query.required?.includes(name) === true && schema.default === undefined,
      ...(typeof schema.description === 'string' ? { description: schema.description } : {}),
      schema: plain(schema, schemas),
    })),
  ];
  return list.length === 0 ? {} : { parameters: list };
}

function requestBody({ body }: Route, schemas: Record<string, unknown>): Json {
  if (body === undefined) return {};
  const media = body.kind === 'json' ? { 'application/json': body.schema } : body.media;
  const limitBytes = bodyLimitBytes(body);
  const description = `At most ${limitBytes} bytes, otherwise 413.`;
  return {
    requestBody: { required: true, description, 'x-limit-bytes': limitBytes, content: content(media, schemas) },
  };
}

function content(media: Readonly<Record<string, TSchema>>, schemas: Record<string, unknown>): Json {
  return Object.fromEntries(Object.entries(media).map(([type, schema]) => [type, { schema: plain(schema, schemas) }]));
}

const REQUEST_ID_HEADER = {
  'X-Request-Id': { description: 'Names this request in the log', schema: { type: 'string' } },
};

function successes(route: Route, schemas: Record<string, unknown>): Json {
  return Object.fromEntries(
    Object.entries(route.responses).map(([status, response]) => [status, success(response, schemas)]),
  );
}

function success(response: ResponseDefinition, schemas: Record<string, unknown>): Json {
  const headers = Object.entries(response.headers ?? {}).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ]);
  return {
    description: response.description,
    headers: { ...REQUEST_ID_HEADER, ...Object.fromEntries(headers) },
    ...(response.media === undefined ? {} : { content: content(response.media, schemas) }),
  };
}

/** Problems by status, each with the codes that come with it. */
function problems(codes: readonly ErrorCode[]): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      String(status),
      {
        description: list
          .map((code) => `\`${code}\`: ${PROBLEMS[code].title.zh} · ${PROBLEMS[code].title.en}`)
          .join('\n\n'),
        content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

/** A copy without TypeBox's symbols in which every schema with an `$id` is moved to the components, under that name. */
function plain(schema: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(schema)) return schema.map((item) => plain(item, schemas));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $id, ...members } = schema as Json;
  const copy = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, plain(value, schemas)]));
  if (typeof $id !== 'string') return copy;
  schemas[$id] = copy;
  return { $ref: `#/components/schemas/${$id}` };
}
