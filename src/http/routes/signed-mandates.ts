import { Type } from 'typebox';
import type { IdentityContext } from '../../identity/change.ts';
import { giveMandate } from '../../identity/give-mandate.ts';
import { MandateSchema, MandateTerms } from '../identity-schemas.ts';
import { answer, putResponses } from '../resource-answers.ts';
import { type Route, route } from '../route.ts';
import { compileCheck } from '../schema.ts';

const BODY_BYTES = 64 * 1024;

const SignedTerms = Type.String({
  description:
    'Compact JWS by a key of the filer, with "typ": "mandate+jws" and "aud": issuer in its header, over {"id", "agent", "filer", ' +
    '"types", "from", "to"?, "iat"}. The newest by "iat" stands; one whose "to" is past takes the mandate back.',
});

export function signedMandateRoutes(deps: IdentityContext): readonly Route[] {
  const ctx = { ...deps, checkTerms: compileCheck(MandateTerms, '') };
  return [
    route({
      method: 'POST',
      path: '/v1/mandates',
      operationId: 'giveMandate',
      tag: 'identity',
      summary: {
        zh: '提交申报人签名的委托（授予、更改或收回）',
        en: 'Give, change or take back a mandate, signed by the filer',
      },
      access: 'public',
      recorded: 'administration',
      body: { kind: 'raw', media: { 'application/jose': SignedTerms }, limitBytes: BODY_BYTES },
      responses: putResponses(MandateSchema),
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
      handle: async (call) => {
        const jws = await call.text();
        const given = giveMandate(ctx, {
          jws,
          begin: ({ party, role }, id) => call.begin({ party, role }, id),
          unchanged: () => call.unchanged(),
        });
        return answer(given, '/path', ({ id }) => `/v1/mandates/${id}`);
      },
    }),
  ];
}
