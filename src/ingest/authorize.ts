import type { Agency, FilingPayload } from '../domain/filing.ts';
import { covers } from '../identity/mandates.ts';
import type { Directory, Office, Party, Registration, SigningKey } from '../identity/records.ts';
import { shanghaiDate } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';

export interface AuthorizeContext {
  readonly directory: Directory;
}

/** Where a filing goes, and which other offices could hold a filing with the same key. */
export interface Destination {
  readonly office: Office;
  /** Every office of the agency that the filer was ever registered in, this one included. */
  readonly candidates: readonly Office[];
}

/**
 * Is the signer's key in force, and is the signer a party in good standing.
 */
export async function authorizeSigner(ctx: AuthorizeContext, key: SigningKey, receivedAt: number): Promise<Party> {
  if (key.revokedAt !== undefined && key.revokedAt <= receivedAt) throw new GatewayError('key-revoked');
  if (
    (key.notBefore !== undefined && receivedAt < key.notBefore) ||
    (key.notAfter !== undefined && receivedAt > key.notAfter)
  ) {
    throw new GatewayError('key-not-in-force');
  }
  const signer = await ctx.directory.party(key.party);
  if (signer === undefined) throw new GatewayError('unknown-key');
  if (signer.status !== 'active') throw new GatewayError('party-suspended');
  return signer;
}

/**
 * May this signer file this, and with which office.
 * - the signer is the filer, or an agent with a mandate of the filer for the type on the day
 * - the filer is a party in good standing
 * - the filer is registered, on the day, with the office that it names, or with one of the type's agency
 */
export async function authorizeFiling(
  ctx: AuthorizeContext,
  signer: Party,
  payload: Pick<FilingPayload, 'filer' | 'type' | 'office'>,
  receivedAt: number,
): Promise<Destination> {
  const today = shanghaiDate(receivedAt);
  if (signer.id !== payload.filer) {
    const mandates = signer.kind === 'agent' ? await ctx.directory.mandates(signer.id, payload.filer) : [];
    if (!mandates.some((mandate) => covers(mandate, payload.type, today))) throw new GatewayError('no-mandate');
  }
  const filer = signer.id === payload.filer ? signer : await ctx.directory.party(payload.filer);
  if (filer === undefined || filer.kind !== 'filer') throw notRegistered();
  if (filer.status !== 'active') throw new GatewayError('party-suspended');
  return destination(ctx, filer, payload, today);
}

async function destination(
  ctx: AuthorizeContext,
  filer: Party,
  payload: Pick<FilingPayload, 'type' | 'office'>,
  today: string,
): Promise<Destination> {
  const agency = payload.type.slice(0, payload.type.indexOf('.')) as Agency;
  const candidates: Office[] = [];
  let office: Office | undefined;
  for (const registration of filer.registrations) {
    const candidate = await ctx.directory.office(registration.office);
    if (candidate === undefined || candidate.agency !== agency) continue;
    if (!candidates.some((known) => known.code === candidate.code)) candidates.push(candidate);
    const wanted = payload.office === undefined || payload.office === candidate.code;
    if (wanted && office === undefined && isInForce(registration, today)) office = candidate;
  }
  if (office === undefined) throw notRegistered();
  return { office, candidates };
}

function isInForce(registration: Registration, today: string): boolean {
  return (
    !registration.withdrawn && registration.from <= today && (registration.to === undefined || today <= registration.to)
  );
}

function notRegistered(): GatewayError {
  return new GatewayError('not-registered', {
    detail: {
      zh: '申报人今日未登记在该机关（或该类申报所属部门的任何机关）。',
      en: 'The filer is not registered today with that office, or with any office of the agency that this type belongs to.',
    },
  });
}
