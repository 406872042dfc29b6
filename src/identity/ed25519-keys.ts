import { verify } from 'node:crypto';
import { fromBase64url } from '../std/bytes.ts';
import { assert } from '../std/errors.ts';
import type { Database } from '../storage/db.ts';
import { type KeyRow, selectKeysOf } from '../storage/identity.ts';
import { type PublicJwk, publicKeyOf } from './jwk.ts';

/** A party's Ed25519 key. Times are milliseconds since the epoch; absent bounds are open. */
export interface Ed25519Key {
  readonly kid: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly revokedAt?: number;
  verify(data: Uint8Array, signature: Uint8Array): boolean;
}

/** Keys that are read at a time. */
const PAGE = 1_000;

/** Every Ed25519 key that was ever registered to a party, read now: nothing of it is cached. */
export async function ed25519KeysOf(ctx: { readonly db: Pick<Database, 'sql'> }, party: string): Promise<Ed25519Key[]> {
  const keys: Ed25519Key[] = [];
  for (let after = ''; ; ) {
    const rows = await selectKeysOf(ctx.db.sql, party, after, PAGE);
    keys.push(...rows.filter(({ alg }) => alg === 'EdDSA').map(ed25519Key));
    const last = rows[PAGE - 1];
    if (last === undefined) return keys;
    after = last.kid;
  }
}

function ed25519Key({ kid, jwk, notBefore, notAfter, revokedAt }: KeyRow): Ed25519Key {
  const stored = jwk as PublicJwk;
  const publicKey = fromBase64url(stored.x ?? '');
  assert(publicKey?.length === 32, 'a stored Ed25519 key has its 32 bytes');
  return {
    kid,
    publicKey,
    ...(notBefore === null ? {} : { notBefore }),
    ...(notAfter === null ? {} : { notAfter }),
    ...(revokedAt === null ? {} : { revokedAt }),
    verify: (data, signature) => verify(null, data, publicKeyOf(stored), signature),
  };
}
