import { GatewayError } from '../std/errors.ts';
import { type AssertionContext, type AssertionSweep, authenticateClient } from './client-assertion.ts';
import { TOKEN_SECONDS, type Tokens } from './tokens.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** RFC 6749 section 5.2 and RFC 8707. */
export type OAuthErrorName =
  | 'invalid_request'
  | 'invalid_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target';

/** RFC 6749 section 5.1. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
}

export interface IssueTokenContext extends AssertionContext {
  readonly tokens: Tokens;
  readonly sweep: AssertionSweep;
}

/**
 * The client credentials grant (RFC 6749 section 4.4) with `private_key_jwt`. Refusals are GatewayErrors with the members
 * `error` and `error_description` of RFC 6749.
 */
export async function issueToken(ctx: IssueTokenContext, form: URLSearchParams): Promise<TokenResponse> {
  checkForm(ctx, form);
  const assertion = form.get('client_assertion') ?? '';
  const client = await authenticateClient(ctx, assertion, form.get('client_id') ?? undefined);
  if (typeof client === 'string') throw oauthError('invalid_client', client);
  await ctx.sweep.run(ctx);
  const access_token = ctx.tokens.issue({ role: client.party.kind, party: client.party.id }, client.key.kid);
  return { access_token, token_type: 'Bearer', expires_in: TOKEN_SECONDS };
}

function checkForm(ctx: IssueTokenContext, form: URLSearchParams): void {
  const names = [...form.keys()];
  if (new Set(names).size !== names.length) throw oauthError('invalid_request', 'a parameter was given twice');
  const grant = form.get('grant_type');
  if (grant === null) throw oauthError('invalid_request', 'grant_type is missing');
  if (grant !== 'client_credentials')
    throw oauthError('unsupported_grant_type', 'grant_type must be client_credentials');
  if (form.get('client_assertion_type') !== ASSERTION_TYPE || !form.has('client_assertion')) {
    throw oauthError(
      'invalid_client',
      'clients authenticate with private_key_jwt: client_assertion_type and client_assertion',
    );
  }
  if (form.get('scope'))
    throw oauthError('invalid_scope', 'there are no scopes: what a party may do follows from its role');
  const resource = form.get('resource');
  if (resource !== null && resource !== ctx.issuer) throw oauthError('invalid_target', 'resource must be the issuer');
}

function oauthError(error: OAuthErrorName, description: string): GatewayError {
  return new GatewayError(error === 'invalid_client' ? 'invalid-client' : 'invalid-parameter', {
    members: { error, error_description: description },
  });
}
