import { Type } from 'typebox';
import type { Catalogue, FilingType, FilingTypeVersion } from '../../domain/filing-type.ts';
import { rulesDocument } from '../../domain/rules-document.ts';
import { FEW_COLUMNS, rulesPage } from '../../portal/rules-page.ts';
import { typePage, typesPage } from '../../portal/types-page.ts';
import { GatewayError } from '../../std/errors.ts';
import type { Language } from '../../std/text.ts';
import { constant, constantResponse } from '../constant.ts';
import { PayloadSchema, TextSchema } from '../filing-schemas.ts';
import { documentOrPage } from '../html.ts';
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
  deadlines: Type.Optional(
    Type.Record(Type.String(), Type.Object({ rule: Type.String() }), {
      description: 'Kinds of period that are due by another rule',
    }),
  ),
  kinds: Type.Object({ correction: Type.Boolean(), void: Type.Boolean() }),
  notice: TextSchema,
  status: Type.Enum(['modelled', 'official']),
  versions: Type.Array(VersionSchema),
});

const RuleSchema = Type.Object({
  id: Type.String(),
  severity: Type.Enum(['error', 'warning']),
  title: TextSchema,
  message: TextSchema,
  formula: TextSchema,
  expression: Type.String({ description: 'CEL over int64; true: the rule is kept' }),
  pointer: Type.String({ description: 'Where a finding is shown' }),
  line: Type.Optional(Type.String({ description: "The form's own line (栏次)" })),
  lineName: Type.Optional(
    Type.Object(TextSchema.properties, { description: 'The line as the form counts it, such as 第32行, row 32' }),
  ),
  part: Type.Optional(Type.Object(TextSchema.properties, { description: 'The part of the form, such as a schedule' })),
  source: Type.String({ description: 'Law or notice, and how certain it is' }),
  columns: Type.Optional(Type.Array(Type.String())),
  each: Type.Optional(Type.String({ description: 'Checked for every element of this list' })),
  when: Type.Optional(Type.Array(Type.String())),
});

const RulesSchema = Type.Object({
  type: Type.String(),
  version: Type.String(),
  title: TextSchema,
  rules: Type.Array(RuleSchema),
  columns: Type.Record(Type.String(), TextSchema),
  constants: Type.Record(Type.String(), Type.Object({ title: TextSchema, source: Type.String() })),
  sums: Type.Array(Type.Object({ name: Type.String() })),
  others: Type.Record(Type.String(), Type.Object({ title: TextSchema, type: Type.String() })),
  regional: Type.Record(Type.String(), Type.Object({ title: TextSchema, unit: Type.String() })),
});

const HTML = { 'text/html': Type.String({ description: 'The same as a page' }) };
const language = Type.Object({ lang: Type.Optional(Type.Union([Type.Literal('zh'), Type.Literal('en')])) });

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
      query: language,
      responses: {
        200: {
          description: 'All types',
          media: {
            'application/json': Type.Object({ items: Type.Array(FilingTypeSchema), next: Type.Null() }),
            ...HTML,
          },
        },
      },
      handle: (call) => {
        const catalogue = deps.catalogue();
        const types = [...catalogue.types.values()];
        const document = (): object => ({ items: types.map(describe), next: null });
        const page = (language: Language): string =>
          typesPage(
            types.map(({ metadata }) => metadata),
            language,
          );
        return kept(documentOrPage(call, catalogue, document, page));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/filing-types/{type}',
      operationId: 'getFilingType',
      tag,
      summary: { zh: '一种申报类型', en: 'One filing type' },
      access: 'public',
      params: Type.Object({ type: TypeName }),
      query: language,
      responses: { 200: { description: 'The type', media: { 'application/json': FilingTypeSchema, ...HTML } } },
      errors: ['not-found'],
      handle: (call) => {
        const type = findType(deps, call.params.type);
        const page = (language: Language): string => typePage(type, language);
        return kept(documentOrPage(call, type, () => describe(type), page));
      },
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
      query: language,
      responses: {
        200: {
          description: 'Each rule in words, with its formula and source',
          media: { 'application/json': RulesSchema, ...HTML },
        },
      },
      errors: ['not-found'],
      handle: (call) => {
        const type = findType(deps, call.params.type);
        const version = findVersion(deps, call.params);
        const catalogue = deps.catalogue();
        const document = (): object => rulesDocument(catalogue, type, version);
        const page = (language: Language): string =>
          rulesPage(type, version, rulesDocument(catalogue, type, version, FEW_COLUMNS), language);
        return kept(documentOrPage(call, version, document, page));
      },
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

function reply(call: Asking, body: object, type = 'application/json'): Response {
  return kept(constantResponse(call, constant(JSON.stringify(body), type)));
}

/** An answer may be kept for minutes; after that, or after a reload that somebody waits for, its ETag tells whether it still holds. */
function kept(response: Response): Response {
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
