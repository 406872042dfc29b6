import { readFileSync } from 'node:fs';
import path from 'node:path';
import { filingOf } from '../support/expect.ts';
import { chinaDay, example, lodging, newParty, type Payload, SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { freshUscc, OFFICE, operate, submit } from '../support/parties.ts';

export type Role = 'filer' | 'agent' | 'office' | 'operator';

/** Everybody who calls, and what they are. The first filer's data are what most calls are about. */
export const CALLERS = {
  filer: 'filer',
  /** Registered elsewhere: another office of the same agency. */
  otherFiler: 'filer',
  /** Holds the first filer's mandate for everything. */
  agent: 'agent',
  /** Holds the first filer's mandate for taxes only. */
  taxAgent: 'agent',
  /** Holds the other filer's mandate. */
  otherAgent: 'agent',
  /** The first filer's mandate ended yesterday. */
  pastAgent: 'agent',
  /** It begins tomorrow. */
  futureAgent: 'agent',
  /** Has never had any. */
  strangerAgent: 'agent',
  /** Police: where the first filer files. */
  office: 'office',
  /** Police: where the other filer files. */
  sisterOffice: 'office',
  /** Tax: where the first filer files. */
  taxOffice: 'office',
  operator: 'operator',
  otherOperator: 'operator',
} as const satisfies Readonly<Record<string, Role>>;

export type CallerName = keyof typeof CALLERS;
export const NAMES = Object.keys(CALLERS) as readonly CallerName[];

export const SISTER = '43501029999';

/** What has been filed, registered and leased, for calls to ask about. */
export interface World {
  readonly gateway: Gateway;
  readonly parties: Readonly<Record<CallerName, SigningParty>>;
  /** Second keys of the same parties, to be revoked. */
  readonly spares: Readonly<Record<CallerName, SigningParty>>;
  /** Ids of filings. */
  readonly filings: { readonly police: string; readonly tax: string; readonly other: string };
  readonly mandates: { readonly own: string; readonly other: string; readonly past: string };
  /** An open batch of each police office, of the consumer `desk`. */
  readonly batches: { readonly own: string; readonly other: string };
  readonly today: string;
  /** Nobody's. */
  readonly nobody: SigningParty;
}

const CREDIT_CODES: Partial<Record<CallerName, string>> = {
  office: OFFICE.psb,
  sisterOffice: SISTER,
  taxOffice: OFFICE.tax,
  operator: 'operator',
  otherOperator: 'second-operator',
};

/** A key of the party, registered beside those that it has. */
export async function giveKey(gateway: Gateway, id: string): Promise<SigningParty> {
  const key = newParty(id, 'EdDSA');
  const body = { jwk: key.publicJwk, proof: key.proof(gateway.issuer) };
  await operate(gateway, 'POST', `/v1/parties/${id}/keys`, body);
  return key;
}

async function makeParty(gateway: Gateway, name: CallerName): Promise<SigningParty> {
  const kind = CALLERS[name];
  const id = CREDIT_CODES[name] ?? freshUscc();
  if (name !== 'operator') await setStanding(gateway, { id, kind }, 'active');
  return giveKey(gateway, id);
}

/** Suspends a party, or takes it back. */
export async function setStanding(
  gateway: Gateway,
  { id, kind }: { readonly id: string; readonly kind: Role },
  status: 'active' | 'suspended',
): Promise<void> {
  const taxpayerKind = kind === 'filer' ? { taxpayerKind: 'general' } : {};
  await operate(gateway, 'PUT', `/v1/parties/${id}`, { kind, name: '测试单位', ...taxpayerKind, status });
}

async function everyone<T>(make: (name: CallerName) => Promise<T>): Promise<Record<CallerName, T>> {
  const made = await Promise.all(NAMES.map(async (name) => [name, await make(name)] as const));
  return Object.fromEntries(made) as Record<CallerName, T>;
}

async function makeParties(gateway: Gateway): Promise<Record<CallerName, SigningParty>> {
  const sister = { agency: 'psb', region: '350102', name: { zh: '鼓楼分局', en: 'Gulou Branch' } };
  await operate(gateway, 'PUT', `/v1/offices/${SISTER}`, sister);
  const parties = await everyone((name) => makeParty(gateway, name));
  const since = '2020-01-01';
  const registrations = (police: string) => [OFFICE.tax, OFFICE.si, police].map((office) => ({ office, from: since }));
  await operate(gateway, 'PUT', `/v1/parties/${parties.filer.id}/registrations`, registrations(OFFICE.psb));
  await operate(gateway, 'PUT', `/v1/parties/${parties.otherFiler.id}/registrations`, registrations(SISTER));
  return parties;
}

async function makeMandates(gateway: Gateway, parties: Record<CallerName, SigningParty>): Promise<World['mandates']> {
  const give = async (agent: CallerName, filer: CallerName, dates: object, types = ['*']): Promise<string> => {
    const id = `access-${agent}`;
    const between = { agent: parties[agent].id, filer: parties[filer].id };
    await operate(gateway, 'PUT', `/v1/mandates/${id}`, { ...between, types, from: '2020-01-01', ...dates });
    return id;
  };
  const own = await give('agent', 'filer', {});
  await give('taxAgent', 'filer', {}, ['tax.*']);
  const other = await give('otherAgent', 'otherFiler', {});
  const past = await give('pastAgent', 'filer', { to: chinaDay(1) });
  await give('futureAgent', 'filer', { from: chinaDay(-1) });
  return { own, other, past };
}

/** A tax return of a filer: nothing to pay. */
function taxReturn(filer: string): Payload {
  return { ...example('tax/vat-small', 'valid-zero-month.json'), filer };
}

export async function openBatch(gateway: Gateway, as: SigningParty, consumer: string): Promise<string> {
  const answer = await gateway.ask('POST', `/v1/offices/${as.id}/consumers/${consumer}/batches`, {
    as,
    headers: { 'Content-Type': 'application/json' },
    body: '{"max":1,"lease":3600}',
  });
  if (answer.status !== 201) throw new Error(`no batch: ${answer.text}`);
  return (answer.json() as { id: string }).id;
}

/** A gateway with everybody in it. */
export async function makeWorld(): Promise<World> {
  const rates = { RATE_FILER: '1000000', RATE_AGENT: '1000000', RATE_OFFICE: '1000000', RATE_OPERATOR: '1000000' };
  const gateway = await startGateway({ env: { ...rates, NATIONAL_SECONDS: '1' } });
  const parties = await makeParties(gateway);
  const spares = await everyone((name) => giveKey(gateway, parties[name].id));
  const mandates = await makeMandates(gateway, parties);
  const file = async (as: CallerName, payload: Payload) =>
    filingOf(await submit(gateway, parties[as], payload), 201).id;
  // More than one each: for batches to be opened, and lists to have pages.
  for (let i = 0; i < 10; i++)
    for (const as of ['filer', 'otherFiler'] as const) await file(as, lodging({ filer: parties[as].id }));
  const filings = {
    police: await file('filer', lodging({ filer: parties.filer.id })),
    tax: await file('filer', taxReturn(parties.filer.id)),
    other: await file('otherFiler', lodging({ filer: parties.otherFiler.id })),
  };
  const batches = {
    own: await openBatch(gateway, parties.office, 'desk'),
    other: await openBatch(gateway, parties.sisterOffice, 'desk'),
  };
  const nobody = newParty(freshUscc());
  return { gateway, parties, spares, filings, mandates, batches, today: chinaDay(), nobody };
}

/** The key that the gateway signs access tokens with: for tokens that it would never make. */
export function gatewayKey(gateway: Gateway): SigningParty {
  const jwk = JSON.parse(readFileSync(path.join(gateway.dataDir, 'signing.jwk'), 'utf8')) as Record<string, unknown>;
  return new SigningParty('gateway', jwk);
}
