import { Type } from 'typebox';
import { type IssueTokenContext, issueToken } from '../../identity/issue-token.ts';
import { GatewayError } from '../../std/errors.ts';
import { problemBody } from '../problem.ts';
import { type Route, route } from '../route.ts';

const FORM_BYTES = 32 * 1024;

const TokenForm = Type.Object({
  grant_type: Type.Literal('client_credentials'),
  client_assertion_type: Type.Literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
  client_assertion: Type.String({
    description:
      "Compact JWS by a registered key (`kid`) over {iss, sub: the party's id, aud: the issuer or this URL, exp: at most five minutes ahead, jti: never used before}.",
  }),
  client_id: Type.Optional(Type.String({ description: "The party's id; as in the assertion." })),
});

const OAuthError = Type.Object({
  error: Type.String(),
  error_description: Type.String(),
  code: Type.String(),
  status: Type.Integer(),
});

export function oauthRoutes(deps: IssueTokenContext): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/oauth2/token',
      operationId: 'issueToken',
      tag: 'oauth',
      summary: {
        zh: '获取访问令牌（客户端凭据，private_key_jwt）',
        en: 'Get an access token (client credentials, private_key_jwt)',
      },
      access: 'public',
      body: { kind: 'raw', media: { 'application/x-www-form-urlencoded': TokenForm }, limitBytes: FORM_BYTES },
      responses: {
        200: {
          description: 'A token for ten minutes.',
          media: {
            'application/json': Type.Object({
              access_token: Type.String(),
              token_type: Type.Literal('Bearer'),
              expires_in: Type.Integer(),
            }),
          },
        },
        400: { description: 'RFC 6749 section 5.2.', media: { 'application/json': OAuthError } },
        401: { description: 'RFC 6749 section 5.2: `invalid_client`.', media: { 'application/json': OAuthError } },
      },
      errors: ['invalid-client', 'invalid-parameter'],
      handle: async (call) => {
        try {
          const token = await issueToken(deps, new URLSearchParams(await call.text()));
          return Response.json(token, { headers: NO_STORE });
        } catch (error) {
          if (!(error instanceof GatewayError) || error.details.members?.error === undefined) throw error;
          const problem = problemBody(error, call.language, call.requestId);
          // The one answer that is not application/problem+json: OAuth libraries (oauth4webapi 3.8 among them) read an error
          // only as application/json, and not at all beside a WWW-Authenticate, which RFC 6749 asks for only where the client
          // used the Authorization header. The document is both: RFC 6749 section 5.2 and RFC 9457.
          return Response.json(problem, { status: problem.status, headers: NO_STORE });
        }
      },
    }),
  ];
}

/** RFC 6749 section 5.1. */
const NO_STORE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' };
