import { Type } from 'typebox';
import { addKey } from '../../identity/add-key.ts';
import type { IdentityContext, Outcome } from '../../identity/change.ts';
import { putMandate } from '../../identity/put-mandate.ts';
import { putOffice } from '../../identity/put-office.ts';
import { putParty } from '../../identity/put-party.ts';
import { putRegistrations } from '../../identity/put-registrations.ts';
import {
  listKeys,
  readKey,
  readMandate,
  readOffice,
  readParty,
  readRegistrations,
  type Viewer,
} from '../../identity/read.ts';
import type { KeyResource } from '../../identity/resources.ts';
import { revokeKey } from '../../identity/revoke-key.ts';
import { rotateKey } from '../../identity/rotate-key.ts';
import { GatewayError } from '../../std/errors.ts';
import {
  IdText,
  KeyBody,
  KeyListSchema,
  KeySchema,
  Kid,
  MandateBody,
  MandateSchema,
  OfficeBody,
  OfficeSchema,
  PartyBody,
  PartySchema,
  RegistrationsBody,
  RevocationBody,
} from '../identity-schemas.ts';
import { answer, json, putResponses } from '../resource-answers.ts';
import { type Call, type Caller, type Route, route } from '../route.ts';

type Deps = IdentityContext;

const TAG = 'identity';
const EVERYBODY = ['filer', 'agent', 'office', 'operator'] as const;
const BODY_BYTES = 64 * 1024;

const OfficeParams = Type.Object({ office: IdText });
const PartyParams = Type.Object({ id: IdText });
const KeyParams = Type.Object({ kid: Kid });
const PageQuery = Type.Object({
  cursor: Type.String({ pattern: '^[A-Za-z0-9_-]{0,43}$', default: '', description: '`next` of the page before.' }),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 100 }),
});

export function partyRoutes(deps: Deps): readonly Route[] {
  return [
    ...officeRoutes(deps),
    ...partyResourceRoutes(deps),
    ...keyRoutes(deps),
    ...registrationRoutes(deps),
    ...mandateRoutes(deps),
  ];
}

function officeRoutes(deps: Deps): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/offices/{office}',
      operationId: 'putOffice',
      tag: TAG,
      summary: { zh: '登记或更改机关', en: 'Register or change an office' },
      access: ['operator'],
      params: OfficeParams,
      body: { kind: 'json', schema: OfficeBody, limitBytes: BODY_BYTES },
      responses: putResponses(OfficeSchema),
      errors: ['conflict', 'invalid-resource'],
      recorded: 'administration',
      handle: ({ params, body }) => answer(putOffice(deps, { office: params.office, ...body }), '/office'),
    }),
    route({
      method: 'GET',
      path: '/v1/offices/{office}',
      operationId: 'getOffice',
      tag: TAG,
      summary: { zh: '查询机关', en: 'Read an office' },
      access: EVERYBODY,
      params: OfficeParams,
      responses: { 200: json('The office.', OfficeSchema) },
      errors: ['not-found'],
      handle: async ({ params }) => Response.json(await readOffice(deps, params.office)),
    }),
  ];
}

function partyResourceRoutes(deps: Deps): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/parties/{id}',
      operationId: 'putParty',
      tag: TAG,
      summary: { zh: '登记或更改主体', en: 'Register or change a party' },
      access: ['operator'],
      params: PartyParams,
      body: { kind: 'json', schema: PartyBody, limitBytes: BODY_BYTES },
      responses: putResponses(PartySchema),
      errors: ['conflict', 'invalid-resource'],
      recorded: 'administration',
      handle: ({ params, body }) => answer(putParty(deps, { id: params.id, ...body }), '/id'),
    }),
    route({
      method: 'GET',
      path: '/v1/parties/{id}',
      operationId: 'getParty',
      tag: TAG,
      summary: { zh: '查询主体', en: 'Read a party' },
      access: EVERYBODY,
      params: PartyParams,
      responses: { 200: json('The party. Others than oneself are seen by operators only.', PartySchema) },
      errors: ['not-found'],
      handle: async ({ params, caller }) => Response.json(await readParty(deps, viewer(caller), params.id)),
    }),
  ];
}

function keyRoutes(deps: Deps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/parties/{id}/keys',
      operationId: 'addKey',
      tag: TAG,
      summary: { zh: '为主体登记公钥', en: 'Register a key of a party' },
      access: ['operator'],
      params: PartyParams,
      body: { kind: 'json', schema: KeyBody, limitBytes: BODY_BYTES },
      responses: putResponses(KeySchema),
      errors: ['not-found', 'conflict', 'invalid-resource'],
      recorded: 'administration',
      handle: (call) => {
        const { params, body } = call;
        return answer(noting(call, addKey(deps, { party: params.id, ...body })), '/party', keyPath);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/parties/{id}/keys',
      operationId: 'listKeys',
      tag: TAG,
      summary: { zh: '列出主体的公钥', en: "List a party's keys" },
      access: EVERYBODY,
      params: PartyParams,
      query: PageQuery,
      responses: { 200: json('Keys in the order of their ids, revoked ones included.', KeyListSchema) },
      errors: ['not-found'],
      handle: async ({ params, query, caller }) =>
        Response.json(await listKeys(deps, viewer(caller), { party: params.id, ...query })),
    }),
    route({
      method: 'GET',
      path: '/v1/keys/{kid}',
      operationId: 'getKey',
      tag: TAG,
      summary: { zh: '查询公钥', en: 'Read a key' },
      access: EVERYBODY,
      params: KeyParams,
      responses: { 200: json('The key.', KeySchema) },
      errors: ['not-found'],
      handle: async ({ params, caller }) => Response.json(await readKey(deps, viewer(caller), params.kid)),
    }),
    route({
      method: 'DELETE',
      path: '/v1/keys/{kid}',
      operationId: 'revokeKey',
      tag: TAG,
      summary: { zh: '撤销公钥', en: 'Revoke a key, for good' },
      access: ['operator'],
      params: KeyParams,
      body: { kind: 'json', schema: RevocationBody, limitBytes: BODY_BYTES },
      responses: { 200: json('The key, revoked. Every process refuses it within 5 s.', KeySchema) },
      errors: ['not-found', 'invalid-resource'],
      recorded: 'administration',
      handle: ({ params, body }) => answer(revokeKey(deps, { kid: params.kid, reason: body.reason }), '/kid'),
    }),
    rotationRoute(deps),
  ];
}

function rotationRoute(deps: Deps): Route {
  return route({
    method: 'POST',
    path: '/v1/keys/rotation',
    operationId: 'rotateKey',
    tag: TAG,
    summary: { zh: '用旧密钥登记新密钥', en: 'Register a new key, signed by the old one' },
    access: 'public',
    body: {
      kind: 'raw',
      media: {
        'application/jose': Type.String({
          description:
            'Compact JWS by the old key over {"jwk": new public key, "proof": compact JWS by the new key over {"sub", "aud", "iat"}, ' +
            '"aud": issuer, "iat"}. With "notAfter" the old key ends then; without, both stay valid.',
        }),
      },
      limitBytes: BODY_BYTES,
    },
    responses: putResponses(KeySchema),
    errors: [
      'malformed-jws',
      'unknown-key',
      'bad-signature',
      'wrong-audience',
      'key-revoked',
      'key-not-in-force',
      'party-suspended',
      'conflict',
      'invalid-resource',
    ],
    recorded: 'administration',
    handle: async (call) => {
      const rotation = (await call.text()).trim();
      const rotated = rotateKey(deps, rotation, ({ party, role, kid }) => call.begin({ party, role }, kid));
      return answer(noting(call, rotated), '/kid', keyPath);
    },
  });
}

function registrationRoutes(deps: Deps): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/parties/{id}/registrations',
      operationId: 'putRegistrations',
      tag: TAG,
      summary: { zh: '登记申报人所属机关', en: "Replace a filer's registrations" },
      access: ['operator'],
      params: PartyParams,
      body: { kind: 'json', schema: RegistrationsBody, limitBytes: BODY_BYTES },
      responses: putResponses(RegistrationsBody),
      errors: ['not-found', 'invalid-resource'],
      recorded: 'administration',
      handle: ({ params, body }) =>
        answer(putRegistrations(deps, { filer: params.id, registrations: body, pointer: '' }), '/filer'),
    }),
    route({
      method: 'GET',
      path: '/v1/parties/{id}/registrations',
      operationId: 'getRegistrations',
      tag: TAG,
      summary: { zh: '查询申报人所属机关', en: "Read a filer's registrations" },
      access: EVERYBODY,
      params: PartyParams,
      responses: { 200: json('The registrations, earliest first.', RegistrationsBody) },
      errors: ['not-found'],
      handle: async ({ params, caller }) => Response.json(await readRegistrations(deps, viewer(caller), params.id)),
    }),
  ];
}

function mandateRoutes(deps: Deps): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/mandates/{id}',
      operationId: 'putMandate',
      tag: TAG,
      summary: { zh: '登记或更改委托', en: 'Register or change a mandate' },
      access: ['operator'],
      params: PartyParams,
      body: { kind: 'json', schema: MandateBody, limitBytes: BODY_BYTES },
      responses: putResponses(MandateSchema),
      errors: ['conflict', 'invalid-resource'],
      recorded: 'administration',
      handle: ({ params, body }) => answer(putMandate(deps, { id: params.id, ...body }), '/id'),
    }),
    route({
      method: 'GET',
      path: '/v1/mandates/{id}',
      operationId: 'getMandate',
      tag: TAG,
      summary: { zh: '查询委托', en: 'Read a mandate' },
      access: EVERYBODY,
      params: PartyParams,
      responses: { 200: json('The mandate, for both its sides.', MandateSchema) },
      errors: ['not-found'],
      handle: async ({ params, caller }) => Response.json(await readMandate(deps, viewer(caller), params.id)),
    }),
  ];
}

/** The router has let nobody through who is anonymous. */
function viewer(caller: Caller): Viewer {
  if (caller.role === 'anonymous') throw new GatewayError('unauthenticated');
  return caller;
}

/** The new key's id is in no path: the trail is told of it. */
async function noting(call: Pick<Call<unknown, unknown, unknown>, 'note'>, outcome: Promise<Outcome<KeyResource>>) {
  const made = await outcome;
  call.note({ key: made.resource.kid });
  return made;
}

const keyPath = (key: { readonly kid: string }): string => `/v1/keys/${key.kid}`;
