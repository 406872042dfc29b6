import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { honoPath } from '../../src/http/app.ts';
import { openApiDocument, problemCodes } from '../../src/http/openapi.ts';
import { openApiText } from '../../src/http/openapi-build.ts';
import { PROBLEMS } from '../../src/http/problem.ts';
import { route } from '../../src/http/route.ts';

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: object };
  readonly responses: Readonly<Record<string, unknown>>;
  readonly security: readonly object[];
  readonly 'x-error-codes': readonly string[];
}

interface Document {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

describe('the document of the gateway', () => {
  const text = openApiText();
  const document = JSON.parse(text) as Document;
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));

  test('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(JSON.parse(text) as Record<string, unknown>);
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
  });

  test('is the same each time it is made, and carries the version of the package', () => {
    expect(openApiText()).toBe(text);
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(document.info.version).toBe(manifest.version);
  });

  test('is what the build writes', () => {
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'openapi-')), 'openapi.json');
    execFileSync(process.execPath, ['--import', 'tsx', 'src/http/openapi-build.ts', file]);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  test('names every operation once, and every reference leads somewhere', () => {
    const names = operations.map((operation) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      expect(document.components.schemas).toHaveProperty([name]);
    }
  });

  test('says everywhere which problems can come, and with which status', () => {
    for (const operation of operations) {
      for (const code of operation['x-error-codes']) {
        expect(operation.responses).toHaveProperty(String(PROBLEMS[code as keyof typeof PROBLEMS].status));
      }
    }
  });

  test('has the paths of the contract', () => {
    const expected = [
      'post /v1/filings',
      'post /v1/filings/bulk',
      'post /v1/validations',
      'get /v1/filings/{id}',
      'get /v1/filings/{id}/receipt',
      'get /v1/filing-types',
      'get /v1/offices/{office}/checkpoint',
      'get /v1/offices/{office}/entries',
      'put /v1/parties/{id}',
      'post /oauth2/token',
      'get /.well-known/jwks.json',
      'get /v1/problems',
      'get /v1/limits',
      'get /healthz',
    ];
    const paths = Object.entries(document.paths).flatMap(([name, methods]) =>
      Object.keys(methods).map((method) => `${method} ${name}`),
    );
    expect(paths).toEqual(expect.arrayContaining(expected));
  });
});

describe('a route in the document', () => {
  const Thing = Type.Object({ name: Type.String() }, { $id: 'Thing' });
  const put = route({
    method: 'PUT',
    path: '/things/{id}/{rest*}',
    operationId: 'putThing',
    tag: 'things',
    summary: { zh: '放置', en: 'Put' },
    access: ['operator'],
    params: Type.Object({ id: Type.String(), rest: Type.String() }),
    query: Type.Object({ limit: Type.Integer({ default: 5 }), since: Type.String() }),
    body: { kind: 'json', schema: Thing },
    responses: {
      200: { description: 'It', media: { 'application/json': Type.Array(Thing) }, headers: { ETag: 'tag' } },
    },
    errors: ['conflict'],
    handle: () => new Response(),
  });
  const document = openApiDocument([put], '1.0.0') as unknown as Document;

  test('shows parameters, bodies, shared schemas and security', async () => {
    const specification = JSON.parse(JSON.stringify(document)) as Record<string, unknown>;
    expect((await new Validator().validate(specification)).valid).toBe(true);
    expect(
      (await new Validator().validate({ ...specification, paths: { '/x': { get: { responses: 5 } } } })).valid,
    ).toBe(false);
    const operation = document.paths['/things/{id}/{rest}']?.put;
    expect(operation?.parameters?.map(({ name, in: place, required }) => [name, place, required])).toEqual([
      ['id', 'path', true],
      ['rest', 'path', true],
      ['limit', 'query', false],
      ['since', 'query', true],
    ]);
    expect(operation?.requestBody?.content).toEqual({
      'application/json': { schema: { $ref: '#/components/schemas/Thing' } },
    });
    expect(document.components.schemas.Thing).toEqual({
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' } },
    });
    expect(operation?.security).toEqual([{ token: [] }]);
  });

  test('lists what its shape can go wrong with', () => {
    expect(problemCodes(put)).toEqual(
      expect.arrayContaining([
        'unauthenticated',
        'forbidden',
        'rate-limited',
        'invalid-parameter',
        'malformed-json',
        'too-large',
        'conflict',
      ]),
    );
    expect(problemCodes({ ...put, access: 'public' })).not.toContain('forbidden');
  });

  test('is routed by the same path', () => {
    expect(honoPath(put.path)).toBe('/things/:id/:rest{.+}');
  });
});
