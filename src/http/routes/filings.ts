import { Type } from 'typebox';
import { submitBulk } from '../../ingest/bulk.ts';
import { dryRun, dryRunUnsigned } from '../../ingest/dry-run.ts';
import { type Accepted, type IngestContext, submit } from '../../ingest/pipeline.ts';
import {
  entityTag,
  findFilings,
  getContent,
  getFiling,
  getReceipt,
  getSignedStatement,
  locateFiling,
  type ReadContext,
} from '../../ingest/read.ts';
import { fromBase64url } from '../../std/bytes.ts';
import { GatewayError } from '../../std/errors.ts';
import { LineTooLong, splitLines } from '../../std/lines.ts';
import {
  BulkContent,
  CompactJws,
  DryRunSchema,
  FilingListSchema,
  FilingSchema,
  FlattenedJws,
  FollowedFilingSchema,
  Id,
  PayloadSchema,
  ReceiptSchema,
} from '../filing-schemas.ts';
import { preferredMediaType } from '../negotiate.ts';
import { parsePeriod } from '../period-parameter.ts';
import { problemBody } from '../problem.ts';
import { type Call, type Route, route } from '../route.ts';

/** Largest filing: about ten thousand person lines. */
export const FILING_BYTES_MAX = 16 * 1024 * 1024;
export const BULK_BYTES_MAX = 64 * 1024 * 1024;

export interface FilingRouteDeps {
  readonly ingest: IngestContext;
  readonly reading: ReadContext;
  /** Tells an answer for a client from a fault, which it logs. */
  readonly toGatewayError: (error: unknown) => GatewayError;
  readonly proof: (office: string, index: number) => Promise<string>;
}

const tag = 'filings';
const JWS_MEDIA = { 'application/jose': CompactJws, 'application/jose+json': FlattenedJws };
/** An operator may ask, and finds nothing: to run the gateway is not to read what was filed. */
const READERS = ['filer', 'agent', 'office', 'operator'] as const;
const idParams = Type.Object({ id: Id });

export function filingRoutes(deps: FilingRouteDeps): readonly Route[] {
  return [...submitRoutes(deps), ...readRoutes(deps)];
}

function submitRoutes(deps: FilingRouteDeps): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/filings',
      operationId: 'submitFiling',
      tag,
      summary: { zh: '提交一份已签名的申报', en: 'Submit a signed filing' },
      access: 'public',
      body: { kind: 'raw', media: JWS_MEDIA, limitBytes: FILING_BYTES_MAX },
      responses: {
        201: {
          description: 'Stored, durably',
          media: { 'application/json': FilingSchema },
          headers: { Location: 'The filing' },
        },
        200: {
          description: 'The same filing stood already: its original receipt',
          media: { 'application/json': FilingSchema },
          headers: { Location: 'The filing', 'Idempotent-Replayed': 'true' },
        },
      },
      errors: SUBMIT_ERRORS,
      handle: async (call) => {
        const content = await call.text();
        return acceptedResponse(
          await submit(deps.ingest, { content, form: formOf(call.mediaType), receivedAt: call.receivedAt() }),
        );
      },
    }),
    route({
      method: 'POST',
      path: '/v1/filings/bulk',
      operationId: 'submitBulk',
      tag,
      summary: { zh: '批量提交申报（NDJSON）', en: 'Submit filings in bulk (NDJSON)' },
      access: 'public',
      body: {
        kind: 'raw',
        media: {
          'application/x-ndjson': Type.String({
            description: 'Form A: a JWS a line. Form B: a manifest JWS, then payloads.',
          }),
        },
        limitBytes: BULK_BYTES_MAX,
      },
      responses: {
        200: {
          description: 'One line for each filing, in the order of the upload, as ticks commit',
          media: { 'application/x-ndjson': Type.Object({ line: Type.Integer(), status: Type.Integer() }) },
        },
      },
      errors: [...SUBMIT_ERRORS, 'bulk-root-mismatch'],
      handle: (call) => bulkResponse(deps, call),
    }),
    route({
      method: 'POST',
      path: '/v1/validations',
      operationId: 'validateFiling',
      tag,
      summary: {
        zh: '试算：给出正式提交会得到的结论，不保存',
        en: 'Dry run: the verdict that a submission would get; stores nothing',
      },
      access: 'public',
      body: { kind: 'raw', media: { ...JWS_MEDIA, 'application/json': PayloadSchema }, limitBytes: FILING_BYTES_MAX },
      responses: { 200: { description: 'The verdict', media: { 'application/json': DryRunSchema } } },
      errors: SUBMIT_ERRORS.filter((code) => code !== 'invalid-filing'),
      handle: async (call) => {
        const content = await call.text();
        const result =
          call.mediaType === 'application/json'
            ? await dryRunUnsigned(deps.ingest, Buffer.from(content), call.receivedAt())
            : await dryRun(deps.ingest, { content, form: formOf(call.mediaType), receivedAt: call.receivedAt() });
        return Response.json(result.more > 0 ? result : { ...result, more: undefined });
      },
    }),
  ];
}

const SUBMIT_ERRORS = [
  'malformed-jws',
  'malformed-json',
  'unknown-key',
  'bad-signature',
  'wrong-audience',
  'no-mandate',
  'not-registered',
  'key-revoked',
  'key-not-in-force',
  'party-suspended',
  'filing-conflict',
  'superseded',
  'invalid-filing',
  'rate-limited',
  'overloaded',
  'outcome-unknown',
] as const;

function readRoutes(deps: FilingRouteDeps): readonly Route[] {
  const { reading } = deps;
  return [
    route({
      method: 'GET',
      path: '/v1/filings/{id}',
      operationId: 'getFiling',
      tag,
      summary: { zh: '查询一份申报及其状态', en: 'A filing with its status and history' },
      access: READERS,
      params: idParams,
      responses: {
        200: {
          description: 'The filing',
          media: { 'application/json': FollowedFilingSchema },
          headers: { ETag: 'Changes with the answer' },
        },
        304: { description: 'Not changed since the ETag in If-None-Match' },
      },
      errors: ['not-found'],
      handle: async (call) => {
        const filing = await getFiling(reading, call.caller, call.params.id);
        const headers = { ETag: entityTag(filing) };
        const known = call.header('if-none-match')?.split(/\s*,\s*/) ?? [];
        if (known.some((etag) => etag === '*' || etag.replace(/^W\//, '') === headers.ETag))
          return new Response(null, { status: 304, headers });
        return Response.json(filing, { headers });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/filings',
      operationId: 'findFilings',
      tag,
      summary: { zh: '按申报人、类型、所属期、单据号或摘要查找', en: 'Find filings by what the sender knows' },
      access: READERS,
      query: Type.Object({
        filer: Type.Optional(Type.String({ maxLength: 18, description: 'Needed unless the caller is the filer' })),
        type: Type.Optional(Type.String({ maxLength: 64 })),
        period: Type.Optional(
          Type.String({
            maxLength: 32,
            description: '2026, 2026-Q4, 2026-10, 2026-10-08 or 2026-10-01/2026-10-31: filings whose period lies in it',
          }),
        ),
        reference: Type.Optional(Type.String({ maxLength: 64 })),
        digest: Type.Optional(Type.String({ maxLength: 64, description: 'SHA-256 of the payload bytes, base64url' })),
        cursor: Type.Optional(Type.String({ maxLength: 128 })),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
      }),
      responses: {
        200: { description: 'A page, newest period first', media: { 'application/json': FilingListSchema } },
      },
      errors: ['invalid-parameter'],
      handle: async (call) => {
        const { period, digest, limit, ...query } = call.query;
        const page = await findFilings(reading, call.caller, {
          ...query,
          period: period === undefined ? undefined : parsePeriod(period),
          digest: digest === undefined ? undefined : parseDigest(digest),
          limit: limit ?? 50,
        });
        return Response.json(page);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/filings/{id}/receipt',
      operationId: 'getReceipt',
      tag,
      summary: { zh: '取回回执', en: 'The receipt, as JSON or as a compact JWS' },
      access: READERS,
      params: idParams,
      responses: {
        200: {
          description: 'The receipt',
          media: { 'application/json': ReceiptSchema, 'application/jose': CompactJws },
        },
      },
      errors: ['not-found', 'not-acceptable'],
      handle: async (call) => {
        const media = preferredMediaType(call.header('accept'), ['application/json', 'application/jose']);
        if (media === undefined) throw new GatewayError('not-acceptable');
        if (media === 'application/json')
          return Response.json(await getReceipt(reading, call.caller, call.params.id), VARY_ACCEPT);
        return typed(await getSignedStatement(reading, call.caller, call.params.id), media);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/filings/{id}/proof',
      operationId: 'getProof',
      tag,
      summary: {
        zh: '在机关日志中的存在证明',
        en: "Proof that the filing stands in its office's log (C2SP tlog-proof)",
      },
      access: READERS,
      params: idParams,
      responses: { 200: { description: 'The proof', media: { 'text/plain': Type.String() } } },
      errors: ['not-found'],
      handle: async (call) => {
        const { office, index } = await locateFiling(reading, call.caller, call.params.id);
        return typed(await deps.proof(office, index), 'text/plain; charset=utf-8');
      },
    }),
    route({
      method: 'GET',
      path: '/v1/filings/{id}/content',
      operationId: 'getContent',
      tag,
      summary: { zh: '取回收到的原文', en: 'The filing exactly as received' },
      access: READERS,
      params: idParams,
      responses: {
        200: {
          description: 'The JWS; for bulk form B the payload line with its proof',
          media: { ...JWS_MEDIA, 'application/json': BulkContent },
        },
      },
      errors: ['not-found'],
      handle: async (call) => {
        const content = await getContent(reading, call.caller, call.params.id);
        if (content.form === 'bulk') {
          const { form: _, ...bulk } = content;
          return Response.json(bulk);
        }
        return typed(content.text, content.form === 'compact' ? 'application/jose' : 'application/jose+json');
      },
    }),
  ];
}

const VARY_ACCEPT = { headers: { Vary: 'Accept' } };

function typed(body: string, contentType: string): Response {
  return new Response(body, { headers: { 'Content-Type': contentType, Vary: 'Accept' } });
}

function formOf(mediaType: string): 'compact' | 'flattened' {
  return mediaType === 'application/jose' ? 'compact' : 'flattened';
}

function statusOf(accepted: Accepted): 200 | 201 {
  return accepted.kind === 'stored' ? 201 : 200;
}

function acceptedResponse(accepted: Accepted): Response {
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    Location: `/v1/filings/${accepted.filing.id}`,
  };
  if (accepted.kind === 'replayed') headers['Idempotent-Replayed'] = 'true';
  return new Response(JSON.stringify(accepted.filing), { status: statusOf(accepted), headers });
}

/** The first outcome decides between an answer and a problem: until then nothing of the answer has been sent. */
async function bulkResponse(deps: FilingRouteDeps, call: Call<unknown, unknown, unknown>): Promise<Response> {
  const lines = splitLines(call.stream(), FILING_BYTES_MAX);
  const outcomes = submitBulk(deps.ingest, lines, () => deps.reading.clock.now());
  const answers = bulkAnswers(deps, call, outcomes);
  const first = await answers.next();
  const encoder = new TextEncoder();
  let held: string | undefined = first.done ? undefined : first.value;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = held ?? (await answers.next()).value;
      held = undefined;
      if (next === undefined) controller.close();
      else controller.enqueue(encoder.encode(next));
    },
    async cancel() {
      await answers.return(undefined);
    },
  });
  return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
}

async function* bulkAnswers(
  deps: FilingRouteDeps,
  call: Call<unknown, unknown, unknown>,
  outcomes: ReturnType<typeof submitBulk>,
): AsyncGenerator<string, undefined> {
  let sent = 0;
  try {
    for await (const outcome of outcomes) {
      sent += 1;
      if ('accepted' in outcome) {
        const { accepted, line } = outcome;
        const replayed = accepted.kind === 'replayed' ? { replayed: true } : {};
        yield `${JSON.stringify({ line, status: statusOf(accepted), ...replayed, filing: accepted.filing })}\n`;
      } else {
        yield problemLine(deps, call, outcome.line, outcome.error);
      }
    }
  } catch (error) {
    const failure = asUploadError(error);
    if (sent === 0) throw failure;
    // The head of the answer is on its way already: what stopped the upload is said in a last line without a number.
    yield problemLine(deps, call, undefined, failure);
  }
  return undefined;
}

function problemLine(
  deps: FilingRouteDeps,
  call: Call<unknown, unknown, unknown>,
  line: number | undefined,
  error: unknown,
): string {
  const problem = problemBody(deps.toGatewayError(error), call.language, call.requestId);
  return `${JSON.stringify({ line, status: problem.status, problem })}\n`;
}

function asUploadError(error: unknown): unknown {
  if (!(error instanceof LineTooLong)) return error;
  return new GatewayError('too-large', {
    detail: {
      zh: `第 ${error.line} 行超过 ${FILING_BYTES_MAX} 字节。`,
      en: `Line ${error.line} is over ${FILING_BYTES_MAX} bytes.`,
    },
    members: { line: error.line },
  });
}

function parseDigest(text: string): Buffer {
  const digest = fromBase64url(text);
  if (digest?.length !== 32) {
    throw new GatewayError('invalid-parameter', {
      detail: {
        zh: 'digest 应是 32 字节 SHA-256 的 base64url（43 个字符）。',
        en: 'digest is a SHA-256 in base64url, 43 characters.',
      },
    });
  }
  return digest;
}
