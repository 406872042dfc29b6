import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { submit } from '../support/parties.ts';
import type { Answer } from '../support/wire.ts';
import { CALLS, type Stage, setStage } from './calls.ts';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
  readonly access: 'public' | readonly string[];
  readonly codes: readonly string[];
  readonly hasBody: boolean;
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

let gateway: Gateway;
let stage: Stage;
let document: { readonly paths: Record<string, Record<string, Record<string, unknown>>>; readonly components: object };
let operations: Operation[];
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);

beforeAll(async () => {
  gateway = await startGateway({ env: { NATIONAL_SECONDS: '1' } });
  document = (await gateway.ask('GET', '/openapi.json')).json() as typeof document;
  ajv.addSchema({ $id: 'https://gateway.test/openapi.json', components: document.components });
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operationId: String(operation.operationId),
      access: operation['x-access'] as Operation['access'],
      codes: operation['x-error-codes'] as string[],
      hasBody: operation.requestBody !== undefined,
      responses: operation.responses as Operation['responses'],
    })),
  );
  stage = await setStage(gateway);
});
afterAll(() => gateway.remove());

/** References are to the document's own components. */
function absolute(schema: unknown): unknown {
  return JSON.parse(
    JSON.stringify(schema).replaceAll('"#/components/', '"https://gateway.test/openapi.json#/components/'),
  );
}

/** The reply has a status and a media type that the document has, and a body that its schema allows. */
function expectDocumented(operation: Operation, answer: Answer): void {
  const name = `${operation.operationId} ${answer.status} ${answer.text.slice(0, 300)}`;
  expect(answer.headers['x-request-id'], name).toMatch(/\S/);
  const response = operation.responses[String(answer.status)];
  expect(response, `${name}: status is not documented`).toBeDefined();
  const media = answer.headers['content-type']?.split(';')[0];
  if (response?.content === undefined) {
    expect([media, answer.text], name).toEqual([undefined, '']);
    return;
  }
  const schema = response.content[media ?? '']?.schema;
  expect(schema, `${name}: ${media} is not documented`).toBeDefined();
  const validate = ajv.compile(absolute(schema) as object);
  for (const value of valuesOf(answer, media ?? ''))
    expect(validate(value) || validate.errors, `${name} ${JSON.stringify(validate.errors)}`).toBe(true);
}

function valuesOf(answer: Answer, media: string): unknown[] {
  if (media === 'application/x-ndjson')
    return answer.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  return [media.endsWith('json') ? answer.json() : answer.text];
}

describe('the OpenAPI document', () => {
  test('has an example call here for every operation, and no call is left over', () => {
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(CALLS).sort());
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  });

  test.each(Object.keys(CALLS))('%s succeeds as documented', async (operationId) => {
    const operation = operations.find((each) => each.operationId === operationId) as Operation;
    const answers = [await (CALLS[operationId] as (typeof CALLS)[string])(stage)].flat();
    for (const answer of answers) {
      expect(answer.status, answer.text).toBeLessThan(300);
      expectDocumented(operation, answer);
    }
  });

  test('documents every media type of receipts and contents', async () => {
    const receipt = operations.find(({ operationId }) => operationId === 'getReceipt') as Operation;
    const target = `/v1/filings/${stage.filingId}/receipt`;
    for (const Accept of Object.keys(receipt.responses['200']?.content ?? {})) {
      const answer = await gateway.ask('GET', target, { as: 'filer', headers: { Accept } });
      expect(answer.headers['content-type']?.split(';')[0]).toBe(Accept);
      expectDocumented(receipt, answer);
    }
  });
});

const fill = (path: string): string =>
  path
    .replace('{kid}', 'k'.repeat(43))
    .replace('{year}', '2040')
    .replace('{region}', '110000')
    .replace(/\{[^}]+\}/g, 'x');

describe('refusals are as documented', () => {
  test('without a token: 401 on everything that needs one, with the problem schema', async () => {
    for (const operation of operations.filter(({ access }) => access !== 'public')) {
      const answer = await gateway.ask(operation.method, fill(operation.path));
      expect(operation.codes).toContain(expectProblem(answer, 401, 'unauthenticated').code);
      expectDocumented(operation, answer);
    }
  });

  test('by a role that may not call it: 403', async () => {
    for (const operation of operations)
      for (const role of ['filer', 'agent', 'psb', 'operator'] as const) {
        if (operation.access === 'public' || operation.access.includes(role === 'psb' ? 'office' : role)) continue;
        const answer = await gateway.ask(operation.method, fill(operation.path), { as: role });
        expect(operation.codes).toContain(expectProblem(answer, 403, 'forbidden').code);
        expectDocumented(operation, answer);
      }
  });

  test('with a body of another media type: 415; with one that is no JSON: 400', async () => {
    for (const operation of operations.filter(({ hasBody }) => hasBody)) {
      const as = { operator: 'operator', office: 'psb', filer: 'filer' } as const;
      const role = operation.access === 'public' ? undefined : (operation.access[0] as keyof typeof as);
      const who = role === undefined ? {} : { as: as[role] };
      const target = fill(operation.path).replace('/offices/x', '/offices/43501000000');
      for (const type of ['application/x-nothing', 'application/json']) {
        const answer = await gateway.ask(operation.method, target, {
          ...who,
          headers: { 'Content-Type': type },
          body: '{]',
        });
        expect([400, 415]).toContain(answer.status);
        if (type !== 'application/json') expectProblem(answer, 415, 'unsupported-media-type');
        expectDocumented(operation, answer);
      }
    }
  });

  test('of what was filed: 422 with violations by the schema', async () => {
    const operation = operations.find(({ operationId }) => operationId === 'submitFiling') as Operation;
    const refusals = [
      await submit(gateway, stage.filer, lodging({ data: {} })),
      await submit(gateway, stage.filer, '{'),
      await submit(gateway, stage.filer, lodging({ filer: stage.agentId })),
      await submit(gateway, stage.filer, lodging(), { header: { aud: 'https://elsewhere.example' } }),
    ];
    expect(refusals.map(({ status }) => status)).toEqual([422, 400, 403, 401]);
    for (const answer of refusals) {
      expect(operation.codes).toContain((answer.json() as { code: string }).code);
      expectDocumented(operation, answer);
    }
  });
});
