import type { Party, PartyKind } from '../identity/records.ts';
import { GatewayError } from '../std/errors.ts';
import type { Caller } from './route.ts';

/** Turns the value of an `Authorization` header into who is asking; throws `unauthenticated` for whatever is not good. */
export type Authenticate = (authorization: string) => Promise<Caller>;

/** What an access token says, once it was found to be genuine and in force. */
export interface TokenClaims {
  readonly party: string;
  readonly role: PartyKind;
}

export interface AuthenticatorDeps {
  /** Undefined for a token that is not genuine, not for this gateway, or not in force. */
  verify(token: string): Promise<TokenClaims | undefined>;
  /** The party as it is now: a token outlives a suspension by up to ten minutes otherwise. */
  party(id: string): Promise<Party | undefined>;
}

/** RFC 6750 section 2.1. Longer tokens than this are none of ours. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]{1,4096}=*) *$/i;

export function authenticator(deps: AuthenticatorDeps): Authenticate {
  return async (authorization) => {
    const token = BEARER.exec(authorization)?.[1];
    const claims = token === undefined ? undefined : await deps.verify(token);
    if (claims === undefined) throw new GatewayError('unauthenticated');
    const party = await deps.party(claims.party);
    if (party === undefined || party.kind !== claims.role) throw new GatewayError('unauthenticated');
    if (party.status === 'suspended') throw new GatewayError('party-suspended');
    return { role: claims.role, party: claims.party };
  };
}

/** For a gateway without tokens: every one is refused. */
export const REFUSE_ALL: Authenticate = () => Promise.reject(new GatewayError('unauthenticated'));
