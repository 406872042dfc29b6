import { Type } from 'typebox';
import type { GatewayKeys } from '../../identity/gateway-keys.ts';
import { type Route, route } from '../route.ts';

export interface WellKnownDeps {
  readonly gatewayKeys: GatewayKeys;
  readonly issuer: string;
}

/** A verifier that meets a new key id asks again; those who poll need not ask more often than this. */
const CACHE = { 'Cache-Control': 'public, max-age=60' };

const SIGNING_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];

const Metadata = Type.Object({
  issuer: Type.String(),
  token_endpoint: Type.String(),
  jwks_uri: Type.String(),
  grant_types_supported: Type.Array(Type.String()),
  token_endpoint_auth_methods_supported: Type.Array(Type.String()),
  token_endpoint_auth_signing_alg_values_supported: Type.Array(Type.String()),
  response_types_supported: Type.Array(Type.String()),
  service_documentation: Type.String(),
});

export function wellKnownRoutes(deps: WellKnownDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/.well-known/jwks.json',
      operationId: 'getJwks',
      tag: 'oauth',
      summary: { zh: '网关的公钥', en: "The gateway's public keys" },
      access: 'public',
      responses: {
        200: {
          description: 'Every key that this gateway has ever signed with (RFC 7517), newest first.',
          media: {
            'application/json': Type.Object({
              keys: Type.Array(Type.Object({ kty: Type.String(), kid: Type.String() })),
            }),
          },
        },
      },
      handle: async () => {
        const keys = (await deps.gatewayKeys.list()).map((jwk) => ({ ...jwk, use: 'sig' }));
        return Response.json({ keys }, { headers: CACHE });
      },
    }),
    route({
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      operationId: 'getOAuthMetadata',
      tag: 'oauth',
      summary: { zh: 'OAuth 授权服务器元数据', en: 'OAuth authorization server metadata' },
      access: 'public',
      responses: { 200: { description: 'RFC 8414.', media: { 'application/json': Metadata } } },
      handle: () => Response.json(oauthMetadata(deps.issuer), { headers: CACHE }),
    }),
  ];
}

function oauthMetadata(issuer: string): object {
  return {
    issuer,
    token_endpoint: tokenEndpoint(issuer),
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: SIGNING_ALGORITHMS,
    // Required by RFC 8414 and empty: there is no authorization endpoint.
    response_types_supported: [],
    service_documentation: `${issuer}/docs`,
  };
}

/** Where tokens are issued; also an audience that client assertions may name. */
export function tokenEndpoint(issuer: string): string {
  return `${issuer}/oauth2/token`;
}
