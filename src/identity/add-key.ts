import { parseInstant } from '../std/clock.ts';
import type { KeyRow } from '../storage/identity.ts';
import {
  applyChange,
  type Change,
  conflict,
  finding,
  type IdentityContext,
  notFound,
  type Outcome,
  refuse,
  refuseIfAny,
} from './change.ts';
import { importJwk, type PublicJwk, publicKeyOf } from './jwk.ts';
import { isProofOfPossession } from './proof.ts';
import { type KeyResource, keyResource } from './resources.ts';
import type { IdentityState } from './state.ts';

/** More than any party needs for rotation; bounds what one party can store. */
const MAX_USABLE_KEYS = 100;

export interface KeyInput {
  readonly party: string;
  /** As it was sent. */
  readonly jwk: unknown;
  /** RFC 3339; absent bounds are open, or stay as they were. */
  readonly notBefore?: string;
  readonly notAfter?: string;
}

/** Registers a key whose holder proves to have it: `proof` is a compact JWS by that key over `{ sub: party, aud: issuer, iat }`. */
export async function addKey(
  ctx: IdentityContext,
  input: KeyInput & { readonly proof: string },
): Promise<Outcome<KeyResource>> {
  return applyChange(ctx, keyChange(input, { proof: input.proof, issuer: ctx.issuer, at: ctx.clock.now() }));
}

/** Without `required` no proof is asked for: the operator's import vouches for the keys. */
export function keyChange(
  input: KeyInput,
  required?: { proof: string; issuer: string; at: number },
): Change<KeyResource> {
  const imported = importJwk(input.jwk);
  if (!imported.ok) {
    const { member, reason } = imported.fault;
    throw refuse(member === '' ? '/jwk' : `/jwk/${member}`, 'jwk', reason.zh, reason.en);
  }
  const { jwk } = imported;
  const dates = readDates(input);
  if (required !== undefined) {
    const key = { kid: jwk.kid, alg: jwk.alg, publicKey: publicKeyOf(jwk) };
    if (!isProofOfPossession(required.proof, { sub: input.party, aud: required.issuer, at: required.at, key })) {
      throw refuse(
        '/proof',
        'proof',
        '应为用该密钥对{sub, aud, iat}签名的紧凑JWS：sub为主体，aud为本网关，iat在10分钟内',
        'must be a compact JWS by this key over { sub, aud, iat }: the party, this gateway, within ten minutes',
      );
    }
  }
  return {
    needs: { parties: [input.party], keys: [jwk.kid], keyCounts: [input.party] },
    apply: (state) => {
      if (state.party(input.party) === undefined) throw notFound('没有此主体。', 'There is no such party.');
      return registerKey(state, input.party, jwk, dates);
    },
  };
}

interface Dates {
  readonly notBefore: number | undefined;
  readonly notAfter: number | undefined;
}

/** Sets the key's row, unless it is there already. A kid belongs to one party for ever, and a revoked key stays revoked. */
export function registerKey(state: IdentityState, party: string, jwk: PublicJwk, dates: Dates): Outcome<KeyResource> {
  const standing = state.key(jwk.kid);
  if (standing !== undefined && standing.party !== party) {
    throw conflict('该密钥已登记，不能再次登记。', 'The key is registered already and cannot be registered again.');
  }
  if (standing !== undefined && standing.revokedAt !== null)
    throw conflict('该密钥已撤销，不能再用。', 'The key was revoked and cannot be used again.');
  if (standing === undefined && state.keyCount(party) >= MAX_USABLE_KEYS) {
    throw conflict(`主体最多有${MAX_USABLE_KEYS}个有效密钥。`, `A party has at most ${MAX_USABLE_KEYS} usable keys.`);
  }
  const row: KeyRow = {
    kid: jwk.kid,
    party,
    alg: jwk.alg,
    jwk,
    notBefore: dates.notBefore ?? standing?.notBefore ?? null,
    notAfter: dates.notAfter ?? standing?.notAfter ?? null,
    createdAt: standing?.createdAt ?? state.at,
    revokedAt: null,
    revokedReason: null,
  };
  const isSame = standing !== undefined && standing.notBefore === row.notBefore && standing.notAfter === row.notAfter;
  if (!isSame) state.setKey(row);
  return { created: standing === undefined, resource: keyResource(row) };
}

function readDates(input: Pick<KeyInput, 'notBefore' | 'notAfter'>): Dates {
  const notBefore = readInstant(input.notBefore);
  const notAfter = readInstant(input.notAfter);
  const message = { zh: '应为RFC 3339时间', en: 'must be an RFC 3339 time' };
  refuseIfAny([
    ...(Number.isNaN(notBefore) ? [finding('/notBefore', 'time', message)] : []),
    ...(Number.isNaN(notAfter) ? [finding('/notAfter', 'time', message)] : []),
  ]);
  if (notBefore !== undefined && notAfter !== undefined && notAfter <= notBefore) {
    throw refuse('/notAfter', 'time', '应晚于notBefore', 'must be later than notBefore');
  }
  return { notBefore, notAfter };
}

/** NaN: not a time. */
function readInstant(text: string | undefined): number | undefined {
  return text === undefined ? undefined : (parseInstant(text) ?? Number.NaN);
}
