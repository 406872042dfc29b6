import { createHash } from 'node:crypto';
import { Type } from 'typebox';
import type { IdentityContext } from '../../identity/change.ts';
import { type ImportAnswer, type ImportContext, type ImportOp, importIdentity } from '../../identity/import.ts';
import type { TrailDetails } from '../../trail/chain.ts';
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
      recorded: 'administration',
      handle: (call) => new Response(answers(ctx, call), { headers: { 'Content-Type': 'application/x-ndjson' } }),
    }),
  ];
}

function answers(ctx: ImportContext, call: Call<unknown, unknown, unknown>): ReadableStream<Uint8Array> {
  const tally = new Tally();
  const batches = importIdentity(ctx, tally.watch(call.stream()));
  const encoder = new TextEncoder();
  const source = {
    pull: async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      const next = await batches.next();
      if (next.done !== true) tally.count(next.value);
      call.note(tally.details());
      if (next.done === true) return controller.close();
      controller.enqueue(encoder.encode(next.value.map((one) => answerLine(one, call)).join('')));
    },
    cancel: async (): Promise<void> => {
      await batches.return(undefined);
    },
  };
  return new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: ANSWER_BUFFER_BYTES }));
}

/** What the audit trail keeps of an import: how many lines of each kind were taken or refused, and which file it was. */
class Tally {
  readonly #hash = createHash('sha256');
  readonly #taken: Partial<Record<ImportOp, number>> = {};
  #refused = 0;
  #digest: string | undefined;

  async *watch(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      this.#hash.update(piece);
      yield piece;
    }
    this.#digest = this.#hash.digest('hex');
  }

  count(answers: readonly ImportAnswer[]): void {
    for (const { op, result } of answers) {
      if (op === undefined || !('created' in result)) this.#refused++;
      else this.#taken[op] = (this.#taken[op] ?? 0) + 1;
    }
  }

  /** `sha256`, of the whole body, only once all of it was read. */
  details(): TrailDetails {
    const digest = this.#digest;
    return { taken: { ...this.#taken }, refused: this.#refused, ...(digest === undefined ? {} : { sha256: digest }) };
  }
}

function answerLine({ line, result }: ImportAnswer, call: Call<unknown, unknown, unknown>): string {
  if ('created' in result) return `{"line":${line},"status":${result.created ? 201 : 200}}\n`;
  const problem = problemBody(result, call.language, call.requestId);
  return `${JSON.stringify({ line, status: problem.status, problem })}\n`;
}
