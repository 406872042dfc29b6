import { applyChange, type Change, type IdentityContext, notFound, type Outcome } from './change.ts';
import { type KeyResource, keyResource } from './resources.ts';

export interface RevocationInput {
  readonly kid: string;
  /** Why, in the operator's words; kept with the key. */
  readonly reason: string;
}

/** Revokes a key from now on, for good. Doing it again keeps the first time and reason. */
export async function revokeKey(ctx: IdentityContext, input: RevocationInput): Promise<Outcome<KeyResource>> {
  return applyChange(ctx, revocation(input));
}

function revocation(input: RevocationInput): Change<KeyResource> {
  return {
    needs: { keys: [input.kid] },
    apply: (state) => {
      const standing = state.key(input.kid);
      if (standing === undefined) throw notFound('没有此密钥。', 'There is no such key.');
      if (standing.revokedAt !== null) return { created: false, resource: keyResource(standing) };
      const row = { ...standing, revokedAt: state.at, revokedReason: input.reason };
      state.setKey(row);
      return { created: false, resource: keyResource(row) };
    },
  };
}
