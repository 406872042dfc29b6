import { Type } from 'typebox';
import type { Catalogue, FilingType, FilingTypeVersion } from '../../domain/filing-type.ts';
import { GatewayError } from '../../std/errors.ts';
import { constant, constantResponse } from '../constant.ts';
import { PayloadSchema, TextSchema } from '../filing-schemas.ts';
import { type Route, route } from '../route.ts';

export interface FilingTypeRouteDeps {
  readonly catalogue: () => Catalogue;
}

const tag = 'filing types';
const TypeName = Type.String({ maxLength: 64, description: 'Such as tax.vat.general' });
const versionParams = Type.Object({ type: TypeName, version: Type.String({ maxLength: 32 }) });

const VersionSchema = Type.Object({
  version: Type.String(),
  from: Type.String({ description: 'First day, compared with the last day of the period' }),
  to: Type.Optional(Type.String({ description: 'Last day, included; absent for the newest' })),
  note: Type.Optional(TextSchema),
});

const FilingTypeSchema = Type.Object({
  type: Type.String(),
  agency: Type.String(),
  title: TextSchema,
  description: TextSchema,
  periods: Type.Array(Type.String()),
  event: Type.Boolean({ description: 'Event types need a reference and carry the date of the event twice' }),
  deadline: Type.Object({ rule: Type.String() }),
  kinds: Type.Object({ correction: Type.Boolean(), void: Type.Boolean() }),
  notice: TextSchema,
  status: Type.Enum(['modelled', 'official']),
  versions: Type.Array(VersionSchema),
});

export function filingTypeRoutes(deps: FilingTypeRouteDeps): readonly Route[] {
  return [...typeRoutes(deps), ...versionRoutes(deps)];
}

function typeRoutes(deps: FilingTypeRouteDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/filing-types',
      operationId: 'listFilingTypes',
      tag,
      summary: { zh: '可以申报的全部类型', en: 'Everything that can be filed' },
      access: 'public',
      responses: {
        200: {
          description: 'All types',
          media: { 'application/json': Type.Object({ items: Type.Array(FilingTypeSchema), next: Type.Null() }) },
        },
      },
      handle: (call) => reply(call, { items: [...deps.catalogue().types.values()].map(describe), next: null }),
    }),
    route({
      method: 'GET',
      path: '/v1/filing-types/{type}',
      operationId: 'getFilingType',
      tag,
      summary: { zh: '一种申报类型', en: 'One filing type' },
      access: 'public',
      params: Type.Object({ type: TypeName }),
      responses: { 200: { description: 'The type', media: { 'application/json': FilingTypeSchema } } },
      errors: ['not-found'],
      handle: (call) => reply(call, describe(findType(deps, call.params.type))),
    }),
  ];
}

function versionRoutes(deps: FilingTypeRouteDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/filing-types/{type}/versions/{version}/schema',
      operationId: 'getFilingTypeSchema',
      tag,
      summary: { zh: '数据的 JSON Schema（2020-12）', en: 'JSON Schema (2020-12) of data' },
      access: 'public',
      params: versionParams,
      responses: { 200: { description: 'The schema', media: { 'application/schema+json': Type.Object({}) } } },
      errors: ['not-found'],
      handle: (call) => reply(call, findVersion(deps, call.params).schema, 'application/schema+json'),
    }),
    route({
      method: 'GET',
      path: '/v1/filing-types/{type}/versions/{version}/rules',
      operationId: 'getFilingTypeRules',
      tag,
      summary: { zh: '勾稽规则', en: 'The rules between fields' },
      access: 'public',
      params: versionParams,
      responses: {
        200: {
          description: 'Each rule in words, with its formula and source',
          media: { 'application/json': Type.Object({ rules: Type.Array(Type.Object({})) }) },
        },
      },
      errors: ['not-found'],
      handle: (call) => reply(call, findVersion(deps, call.params).ruleSet),
    }),
    route({
      method: 'GET',
      path: '/v1/filing-types/{type}/versions/{version}/example',
      operationId: 'getFilingTypeExample',
      tag,
      summary: { zh: '一份合法的样例', en: 'A valid example' },
      access: 'public',
      params: versionParams,
      responses: { 200: { description: 'A whole payload', media: { 'application/json': PayloadSchema } } },
      errors: ['not-found'],
      handle: (call) => reply(call, findVersion(deps, call.params).example),
    }),
  ];
}

type Asking = Parameters<typeof constantResponse>[0];

/** The catalogue changes with a restart at most: an answer may be kept for minutes, and then asked for by its ETag. */
function reply(call: Asking, body: object, type = 'application/json'): Response {
  const response = constantResponse(call, constant(JSON.stringify(body), type));
  response.headers.set('Cache-Control', 'public, max-age=300');
  return response;
}

function describe({ metadata, isEvent }: FilingType): object {
  return { ...metadata, event: isEvent };
}

function findType(deps: FilingTypeRouteDeps, name: string): FilingType {
  const type = deps.catalogue().types.get(name);
  if (type === undefined) throw new GatewayError('not-found');
  return type;
}

function findVersion(
  deps: FilingTypeRouteDeps,
  name: { readonly type: string; readonly version: string },
): FilingTypeVersion {
  const version = findType(deps, name.type).versions.get(name.version);
  if (version === undefined) throw new GatewayError('not-found');
  return version;
}
