import { Type } from 'typebox';
import type { IdentityContext } from '../../identity/change.ts';
import { type ImportAnswer, type ImportContext, importIdentity } from '../../identity/import.ts';
import { IMPORT_LINES } from '../identity-schemas.ts';
import { problemBody } from '../problem.ts';
import { type Call, type Route, route } from '../route.ts';
import { compileCheck } from '../schema.ts';

const LIMIT_BYTES = 256 * 1024 * 1024;

/**
 * Answers that may wait for a client which sends all of its lines before it reads: those of some 400,000 good lines. After that
 * the import waits for the client.
 */
const ANSWER_BUFFER_BYTES = 16 * 1024 * 1024;

export function importRoutes(deps: IdentityContext): readonly Route[] {
  const ctx: ImportContext = {
    ...deps,
    checks: {
      office: compileCheck(IMPORT_LINES.office, ''),
      party: compileCheck(IMPORT_LINES.party, ''),
      key: compileCheck(IMPORT_LINES.key, ''),
      registration: compileCheck(IMPORT_LINES.registration, ''),
      mandate: compileCheck(IMPORT_LINES.mandate, ''),
    },
  };
  return [
    route({
      method: 'POST',
      path: '/v1/import',
      operationId: 'importIdentity',
      tag: 'identity',
      summary: {
        zh: '批量导入机关、主体、公钥、登记与委托',
        en: 'Import offices, parties, keys, registrations and mandates',
      },
      access: ['operator'],
      body: {
        kind: 'raw',
        media: {
          'application/x-ndjson': Type.Union(Object.values(IMPORT_LINES), { description: 'One of these a line.' }),
        },
        limitBytes: LIMIT_BYTES,
      },
      responses: {
        200: {
          description:
            'An answer for each line, in order, as the lines are stored: 201 created, 200 was there, or a problem.',
          media: {
            'application/x-ndjson': Type.Object({
              line: Type.Integer({ minimum: 1 }),
              status: Type.Integer(),
              problem: Type.Optional(Type.Object({ code: Type.String() })),
            }),
          },
        },
      },
      handle: (call) => new Response(answers(ctx, call), { headers: { 'Content-Type': 'application/x-ndjson' } }),
    }),
  ];
}

function answers(ctx: ImportContext, call: Call<unknown, unknown, unknown>): ReadableStream<Uint8Array> {
  const batches = importIdentity(ctx, call.stream());
  const encoder = new TextEncoder();
  const source = {
    pull: async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      const next = await batches.next();
      if (next.done === true) controller.close();
      else controller.enqueue(encoder.encode(next.value.map((one) => answerLine(one, call)).join('')));
    },
    cancel: async (): Promise<void> => {
      await batches.return(undefined);
    },
  };
  return new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: ANSWER_BUFFER_BYTES }));
}

function answerLine({ line, result }: ImportAnswer, call: Call<unknown, unknown, unknown>): string {
  if ('created' in result) return `{"line":${line},"status":${result.created ? 201 : 200}}\n`;
  const problem = problemBody(result, call.language, call.requestId);
  return `${JSON.stringify({ line, status: problem.status, problem })}\n`;
}
