import type { PartyKind } from '../identity/records.ts';
import { GatewayError } from '../std/errors.ts';
import type { Caller } from './route.ts';

/** Turns the value of an `Authorization` header into who is asking; throws `unauthenticated` for whatever is not good. */
export type Authenticate = (authorization: string) => Promise<Caller>;

/** Knows access tokens; identity/tokens.ts. */
export interface TokenVerifier {
  /**
   * Who the token speaks for. Throws `unauthenticated` for one that is not genuine, not in force, or whose party or key
   * has been suspended or revoked since.
   */
  verify(token: string): Promise<{ readonly role: PartyKind; readonly party: string }>;
}

/** RFC 6750 section 2.1. Longer tokens than this are none of ours. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]{1,4096}=*) *$/i;

export function authenticator(tokens: TokenVerifier): Authenticate {
  return async (authorization) => {
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) throw new GatewayError('unauthenticated');
    const { role, party } = await tokens.verify(token);
    return { role, party };
  };
}

/** For a gateway without tokens: every one is refused. */
export const REFUSE_ALL: Authenticate = () => Promise.reject(new GatewayError('unauthenticated'));
