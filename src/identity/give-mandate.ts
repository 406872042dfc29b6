import type { Violation } from '../std/errors.ts';
import { GatewayError } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import { type MandateRow, selectKeyring, selectMandates } from '../storage/identity.ts';
import {
  applyChange,
  type Change,
  conflict,
  type IdentityContext,
  type Outcome,
  refuse,
  refuseIfAny,
} from './change.ts';
import { type PublicJwk, publicKeyOf } from './jwk.ts';
import { type CompactJws, isSignedBy, parseCompactJws } from './jws.ts';
import { PROOF_AGE_SECONDS } from './proof.ts';
import { checkMandate, checkPartners, checkSameParties, type MandateInput } from './put-mandate.ts';
import type { PartyKind, SignatureAlgorithm } from './records.ts';
import { type MandateResource, mandateResource } from './resources.ts';
import { type Signatory, usableKey } from './rotate-key.ts';

/** So that a signature made for another purpose is never a mandate. */
const MANDATE_TYP = 'mandate+jws';

export interface GiveMandateContext extends IdentityContext {
  /** Checks what was signed against its schema. */
  readonly checkTerms: (terms: unknown) => readonly Violation[];
}

export interface SignedMandate {
  /** A compact JWS by a key of the filer: `typ` `mandate+jws`, `aud` the issuer, over the terms and `iat`. */
  readonly jws: string;
  /** Told whose signature was found good, before anything is changed. */
  readonly begin: (signatory: Signatory, id: string) => Promise<void>;
  /** Told instead when exactly this stands already, so that there is nothing to begin. */
  readonly unchanged?: () => void;
}

/**
 * A filer gives a mandate, changes it, or takes it back (a newer one with a last day), with its own signature, which is kept.
 * The newest by `iat` stands; the same bytes again change nothing. Who brings it does not matter: the signature says whose it is.
 */
export async function giveMandate(ctx: GiveMandateContext, input: SignedMandate): Promise<Outcome<MandateResource>> {
  const jws = parseCompactJws(input.jws);
  if (jws === undefined) throw new GatewayError('malformed-jws');
  const kid = checkHeader(ctx.issuer, jws);
  // A key's party and public members never change, so that they can be read before the transaction.
  const [key] = await selectKeyring(ctx.db.sql, [kid]);
  if (key === undefined) throw new GatewayError('unknown-key');
  if (!isSignedBy(jws, { alg: key.alg as SignatureAlgorithm, publicKey: publicKeyOf(key.jwk as PublicJwk) }))
    throw new GatewayError('bad-signature');
  refuseIfAny(ctx.checkTerms(jws.claims));
  const { iat, ...terms } = jws.claims as unknown as MandateInput & { readonly iat: number };
  if (terms.filer !== key.party)
    throw refuse('/filer', 'signer', '应为签名密钥所属的申报人', 'must be the filer whose key has signed');
  refuseIfAny(checkMandate(terms));
  // Whoever sends on what stands makes no work: neither rows of the trail nor a transaction.
  const [standing] = await selectMandates(ctx.db.sql, [terms.id]);
  if (standing?.jws === input.jws) {
    input.unchanged?.();
    return { created: false, resource: mandateResource(standing) };
  }
  await input.begin({ party: key.party, role: key.kind as PartyKind, kid }, terms.id);
  return applyChange(ctx, signedChange(terms, { jws: input.jws, signedAt: iat * 1000 }, kid));
}

/** The key id, when the header is one of a mandate for this gateway. */
function checkHeader(issuer: string, { header }: CompactJws): string {
  const { typ, aud, kid } = header;
  if (typ !== MANDATE_TYP) throw malformed('typ 应为 mandate+jws。', 'typ must be mandate+jws.');
  if (typeof aud !== 'string')
    throw malformed('aud 应为本网关的 issuer 网址。', 'aud must be the issuer URL of this gateway.');
  if (typeof kid !== 'string' || kid.length > 64)
    throw malformed('kid 应为登记密钥的指纹。', 'kid must be the thumbprint of a registered key.');
  if (aud !== issuer) throw new GatewayError('wrong-audience', { members: { issuer } });
  return kid;
}

function malformed(zh: string, en: string): GatewayError {
  const detail: Text = { zh, en };
  return new GatewayError('malformed-jws', { detail });
}

function signedChange(
  terms: MandateInput,
  signed: { readonly jws: string; readonly signedAt: number },
  kid: string,
): Change<MandateResource> {
  const { id, agent, filer, types, from, to } = terms;
  return {
    needs: { mandates: [id], parties: [agent, filer], keys: [kid] },
    apply: (state) => {
      const standing = state.mandate(id);
      // What was signed and stored stays so, also when its key has ended since: a lost answer costs nothing.
      if (standing?.jws === signed.jws) return { created: false, resource: mandateResource(standing) };
      usableKey(state, kid);
      if (signed.signedAt > state.at + PROOF_AGE_SECONDS * 1000)
        throw refuse('/iat', 'time', '不得晚于当前时间10分钟以上', 'must not be more than ten minutes ahead');
      checkSameParties(standing, terms);
      checkPartners(state, terms);
      if (standing !== undefined && standing.signedAt !== null && signed.signedAt <= standing.signedAt)
        throw conflict('已有更新的签名委托。', 'A mandate that was signed later stands already.');
      const row: MandateRow = { id, agent, filer, types, from, to: to ?? null, ...signed };
      state.setMandate(row);
      return { created: standing === undefined, resource: mandateResource(row) };
    },
  };
}
