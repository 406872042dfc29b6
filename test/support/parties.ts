import { makeUscc } from '../../src/domain/identifiers.ts';
import { newParty, type Payload, type SigningParty } from './filer.ts';
import type { Gateway } from './gateway.ts';
import type { Answer } from './wire.ts';

export const OFFICE = {
  tax: '13501000000',
  si: '23501000000',
  amr: '33501000000',
  psb: '43501000000',
  city: '53501000000',
  emg: '63501000000',
} as const;

let lastCode = 1_000_000;

/** A unified social credit code that no other caller of this process got. */
export function freshUscc(): string {
  return makeUscc(++lastCode);
}

/** A PUT or POST by the operator that has to succeed. */
export async function operate(gateway: Gateway, method: string, target: string, body: unknown): Promise<Answer> {
  const answer = await gateway.ask(method, target, {
    as: 'operator',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status >= 300) throw new Error(`${method} ${target}: ${answer.status} ${answer.text}`);
  return answer;
}

export interface NewPartyOptions {
  readonly kind?: 'filer' | 'agent';
  readonly alg?: 'ES256' | 'EdDSA' | 'PS256' | 'RS256';
  readonly registrations?: readonly { readonly office: string; readonly from: string; readonly to?: string }[];
  readonly notAfter?: string;
}

/** A party with a key, made by the operator's routes; a filer is registered at every demo office unless told otherwise. */
export async function register(gateway: Gateway, options: NewPartyOptions = {}): Promise<SigningParty> {
  const { kind = 'filer', alg = 'ES256', notAfter } = options;
  const id = freshUscc();
  const party = newParty(id, alg);
  const taxpayerKind = kind === 'filer' ? { taxpayerKind: 'general' } : {};
  await operate(gateway, 'PUT', `/v1/parties/${id}`, { kind, name: '测试有限公司', ...taxpayerKind });
  await operate(gateway, 'POST', `/v1/parties/${id}/keys`, {
    jwk: party.publicJwk,
    proof: party.proof(gateway.issuer),
    ...(notAfter === undefined ? {} : { notAfter }),
  });
  const everywhere = Object.values(OFFICE).map((office) => ({ office, from: '2020-01-01' }));
  if (kind === 'filer')
    await operate(gateway, 'PUT', `/v1/parties/${id}/registrations`, options.registrations ?? everywhere);
  return party;
}

export interface SubmitOptions {
  readonly header?: object;
  readonly flattened?: boolean;
  readonly language?: string;
}

/** Signs a payload and submits it, compact. */
export function submit(
  gateway: Gateway,
  party: SigningParty,
  payload: Payload | string | Uint8Array,
  options: SubmitOptions = {},
): Promise<Answer> {
  return submitJws(gateway, party.filing(gateway.issuer, payload, options.header), options.language);
}

export function submitJws(gateway: Gateway, jws: string, language?: string): Promise<Answer> {
  const headers: Record<string, string> = {
    'Content-Type': jws.startsWith('{') ? 'application/jose+json' : 'application/jose',
  };
  if (language !== undefined) headers['Accept-Language'] = language;
  return gateway.ask('POST', '/v1/filings', { headers, body: jws });
}
