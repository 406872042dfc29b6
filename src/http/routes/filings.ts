import { Type } from 'typebox';
import { FILING_BYTES_MAX, type LineOutcome, submitBulk } from '../../ingest/bulk.ts';
import { dryRun, dryRunUnsigned } from '../../ingest/dry-run.ts';
import { filingText } from '../../ingest/filing-text.ts';
import { type Accepted, type IngestContext, submit } from '../../ingest/pipeline.ts';
import type { GatewayError } from '../../std/errors.ts';
import { splitLines } from '../../std/lines.ts';
import { DryRunSchema, FilingSchema, JWS_MEDIA, PayloadSchema } from '../filing-schemas.ts';
import { problemBody } from '../problem.ts';
import { type Call, type Route, route } from '../route.ts';
import { type FilingReadDeps, filingReadRoutes } from './filing-reads.ts';

const BULK_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Of an answer that its client does not read yet. Many clients read only when they have sent everything: if the answer
 * held the upload back at once, the two would wait for each other.
 */
const BULK_ANSWER_BYTES_HELD = 32 * 1024 * 1024;

export interface FilingRouteDeps extends FilingReadDeps {
  readonly ingest: IngestContext;
  /** Tells an answer for a client from a fault, which it logs. */
  readonly toGatewayError: (error: unknown) => GatewayError;
}

const tag = 'filings';

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

export function filingRoutes(deps: FilingRouteDeps): readonly Route[] {
  return [submitFilingRoute(deps), submitBulkRoute(deps), validateFilingRoute(deps), ...filingReadRoutes(deps)];
}

function submitFilingRoute(deps: FilingRouteDeps): Route {
  return route({
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
  });
}

function submitBulkRoute(deps: FilingRouteDeps): Route {
  return route({
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
  });
}

const VERDICT =
  "The verdict. A signed filing is also compared with the filer's other filings, as after acceptance. An unsigned payload is " +
  'judged by its own content alone: nobody has claimed it, so nothing is said of what anybody has filed.';

function validateFilingRoute(deps: FilingRouteDeps): Route {
  return route({
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
    responses: { 200: { description: VERDICT, media: { 'application/json': DryRunSchema } } },
    errors: SUBMIT_ERRORS.filter((code) => code !== 'invalid-filing'),
    handle: async (call) => {
      const content = await call.text();
      const result =
        call.mediaType === 'application/json'
          ? await dryRunUnsigned(deps.ingest, Buffer.from(content), call.receivedAt())
          : await dryRun(deps.ingest, { content, form: formOf(call.mediaType), receivedAt: call.receivedAt() });
      return Response.json(result.more > 0 ? result : { ...result, more: undefined });
    },
  });
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
  return new Response(filingText(accepted.filing), { status: statusOf(accepted), headers });
}

/** The first outcome decides between an answer and a problem: until then nothing of the answer has been sent. */
async function bulkResponse(deps: FilingRouteDeps, call: Call<unknown, unknown, unknown>): Promise<Response> {
  const lines = splitLines(call.stream(), BULK_BYTES_MAX);
  const outcomes = submitBulk(deps.ingest, lines, () => call.receivedAt());
  const answers = bulkAnswers(deps, call, outcomes);
  const first = await answers.next();
  const encoder = new TextEncoder();
  let held: string | undefined = first.done ? undefined : first.value;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = held ?? (await answers.next()).value;
        held = undefined;
        if (next === undefined) controller.close();
        else controller.enqueue(encoder.encode(next));
      },
      async cancel() {
        await answers.return(undefined);
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: BULK_ANSWER_BYTES_HELD }),
  );
  return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
}

async function* bulkAnswers(
  deps: FilingRouteDeps,
  call: Call<unknown, unknown, unknown>,
  outcomes: ReturnType<typeof submitBulk>,
): AsyncGenerator<string, undefined> {
  let sent = 0;
  try {
    for await (const some of outcomes) {
      sent += some.length;
      yield some.map((outcome) => outcomeLine(deps, call, outcome)).join('');
    }
  } catch (error) {
    if (sent === 0) throw error;
    // The head of the answer is on its way already: what stopped the upload is said in a last line without a number.
    yield problemLine(deps, call, undefined, error);
  }
  return undefined;
}

function outcomeLine(deps: FilingRouteDeps, call: Call<unknown, unknown, unknown>, outcome: LineOutcome): string {
  if (!('accepted' in outcome)) return problemLine(deps, call, outcome.line, outcome.error);
  const { accepted, line } = outcome;
  const replayed = accepted.kind === 'replayed' ? ',"replayed":true' : '';
  return `{"line":${line},"status":${statusOf(accepted)}${replayed},"filing":${filingText(accepted.filing)}}\n`;
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
