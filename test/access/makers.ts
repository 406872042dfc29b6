import { lodging, newParty } from '../support/filer.ts';
import { freshUscc, OFFICE, register } from '../support/parties.ts';
import { until } from '../support/until.ts';
import { type Ask, type Case, type Entry, get, JOSE, JSON_TYPE, json } from './entry.ts';
import { type CallerName, NAMES, openBatch, type Role, SISTER, type World } from './world.ts';

// What entries are made of: one function for each kind of operation.

export const EVERYBODY: readonly Role[] = ['filer', 'agent', 'office', 'operator'];
export const OFFICES: readonly Role[] = ['office', 'operator'];
export const OPERATORS: readonly CallerName[] = ['operator', 'otherOperator'];
const NO_OFFICE = '43509999999';
export const NO_KID = 'k'.repeat(43);
const NO_BATCH = '00000000-0000-4000-8000-000000000000';

/** Anybody, with no token or any that is in force. */
export function everybody(...asks: readonly (Case['ask'] | Ask)[]): Entry {
  const cases = asks.map((ask) => ({ of: 'anything', known: NAMES, ask: typeof ask === 'function' ? ask : () => ask }));
  return { access: 'public', cases };
}

/** An operator's act, on a thing that each call makes. */
export function act(ask: Case['ask'], fresh: NonNullable<Case['fresh']>): Entry {
  return { access: ['operator'], cases: [{ of: 'identity and settings', known: OPERATORS, ask, fresh }] };
}

/** What stands below a filing, for those who may know of it. */
export function ofFiling(below: string, headers: Record<string, string> = {}): Entry {
  const ask = (id: (world: World) => string) => (world: World) => ({
    path: `/v1/filings/${id(world)}${below}`,
    headers,
  });
  const none = (office: string) => ask(() => `${office}.900719925474`);
  const nothing = [none(OFFICE.psb), none(OFFICE.tax), none(SISTER), none(NO_OFFICE)];
  return {
    access: EVERYBODY,
    cases: [
      {
        of: 'a filing with the police',
        known: ['filer', 'agent', 'office'],
        ask: ask((w) => w.filings.police),
        nothing,
      },
      {
        of: 'a tax return',
        known: ['filer', 'agent', 'taxAgent', 'taxOffice'],
        ask: ask((w) => w.filings.tax),
        nothing,
      },
      {
        of: 'a filing of another filer',
        known: ['otherFiler', 'otherAgent', 'sisterOffice'],
        ask: ask((w) => w.filings.other),
        nothing,
      },
    ],
  };
}

export const findings: readonly Case[] = [
  {
    of: 'filings of a filer',
    known: ['filer', 'agent', 'office'],
    ask: (w) => ({ path: `/v1/filings?type=psb.lodging&filer=${w.parties.filer.id}` }),
    nothing: [(w) => ({ path: `/v1/filings?type=psb.lodging&filer=${w.nobody.id}` })],
    others: 200,
    secret: (w) => w.filings.police,
  },
  {
    of: 'tax returns of a filer',
    known: ['filer', 'agent', 'taxAgent', 'taxOffice'],
    ask: (w) => ({ path: `/v1/filings?type=tax.vat.small&filer=${w.parties.filer.id}` }),
    nothing: [(w) => ({ path: `/v1/filings?type=tax.vat.small&filer=${w.nobody.id}` })],
    others: 200,
    secret: (w) => w.filings.tax,
  },
  {
    of: 'filings of another filer',
    known: ['otherFiler', 'otherAgent', 'sisterOffice'],
    ask: (w) => ({ path: `/v1/filings?filer=${w.parties.otherFiler.id}` }),
    nothing: [(w) => ({ path: `/v1/filings?filer=${w.nobody.id}` })],
    others: 200,
    secret: (w) => w.filings.other,
  },
  {
    of: "the caller's own filings",
    known: ['filer', 'otherFiler'],
    ask: () => ({ path: '/v1/filings' }),
    others: 400,
  },
];

/** What is owed and prefilled: `known` may ask it of the first filer, and the other's people of the other. */
export function ofFiler(below: string, known: readonly CallerName[], others: readonly CallerName[]): Entry {
  const ask = (id: (world: World) => string) => (world: World) => ({ path: `/v1/filers/${id(world)}/${below}` });
  const nothing = [ask((w) => w.nobody.id), ask((w) => w.parties.agent.id), ask(() => 'x')];
  return {
    access: EVERYBODY,
    cases: [
      { of: 'a filer', known, ask: ask((w) => w.parties.filer.id), nothing },
      { of: 'another filer', known: others, ask: ask((w) => w.parties.otherFiler.id), nothing },
    ],
  };
}

/** What stands below an office, for itself, and for operators where `seen` says so. */
export function ofOffice(
  access: readonly Role[],
  below: string,
  make: (path: string) => Ask = (path) => ({ path }),
): Entry {
  const operators = access.includes('operator') ? OPERATORS : [];
  const ask = (office: string) => () => make(`/v1/offices/${office}/${below}`);
  const nothing = [ask(NO_OFFICE), ask('x')];
  return {
    access,
    cases: [
      { of: 'an office', known: ['office', ...operators], ask: ask(OFFICE.psb), nothing },
      { of: 'another office of the agency', known: ['sisterOffice', ...operators], ask: ask(SISTER), nothing },
    ],
  };
}

/** In the national log, which takes up an office's head some seconds after it was signed. */
export function ofNational(path: string): Entry {
  const fresh = async ({ gateway }: World): Promise<Ask> => {
    await gateway.ask('GET', `/v1/offices/${OFFICE.psb}/checkpoint`, { as: 'operator' });
    await until('a head in the national log', async () => {
      const { status } = await gateway.ask('GET', `/v1/national/proofs/${OFFICE.psb}`);
      return status === 200;
    });
    return { path };
  };
  return { access: 'public', cases: [{ of: 'a log that has begun', known: NAMES, ask: get(path), fresh }] };
}

/** Acts on the batches of an office: by each office on its own, in a batch of its own for each. */
export function ofBatch(
  below: string,
  body: unknown,
  settle: (world: World, office: CallerName, id: string) => Promise<unknown>,
) {
  const path = (office: string, id: string) => `/v1/offices/${office}/consumers/desk/batches/${id}${below}`;
  const ask = (office: string, id: (world: World) => string) => (world: World) => json(path(office, id(world)), body);
  const fresh = async (world: World, caller: CallerName): Promise<Ask> => {
    const { id: office } = world.parties[caller];
    const id = await openBatch(world.gateway, world.parties[caller], 'desk');
    return json(path(office, id), await settle(world, caller, id));
  };
  const nothing = [ask(SISTER, () => NO_BATCH), ask(NO_OFFICE, () => NO_BATCH), ask(OFFICE.psb, () => 'x')];
  return {
    access: ['office'],
    cases: [
      { of: 'a batch', known: ['office'], ask: ask(OFFICE.psb, (w) => w.batches.own), fresh, nothing },
      {
        of: "another office's batch",
        known: ['sisterOffice'],
        ask: ask(SISTER, (w) => w.batches.other),
        fresh,
        nothing,
      },
    ],
  } satisfies Entry;
}

export const openings = ofOffice(['office'], 'consumers/opening/batches', (path) => json(path, { max: 1 }));

/** The root of the checkpoint that an open batch came with. */
export async function rootOf({ gateway, parties }: World, caller: CallerName, id: string): Promise<unknown> {
  const as = parties[caller];
  const consumers = await gateway.ask('GET', `/v1/offices/${as.id}/consumers`, { as });
  const { items } = consumers.json() as { items: { leases: { id: string; to: number }[] }[] };
  const size = items.flatMap(({ leases }) => leases).find((lease) => lease.id === id)?.to ?? 0;
  const proof = await gateway.ask('GET', `/v1/offices/${as.id}/consistency?from=${size}&to=${size}`, { as });
  const root = (proof.json() as { checkpoint: string }).checkpoint.split('\n')[2] ?? '';
  return { size, root: Buffer.from(root, 'base64').toString('base64url') };
}

/** What is a party's own, and the operator's to see. */
export function ofParty(below: string, callers: readonly CallerName[] = NAMES): Entry {
  const ask = (id: (world: World) => string) => (world: World) => ({ path: `/v1/parties/${id(world)}${below}` });
  const nothing = [ask((w) => w.nobody.id), ask(() => 'x')];
  return {
    access: EVERYBODY,
    cases: callers.map((name) => ({
      of: name,
      known: [name, ...OPERATORS.filter((operator) => operator !== name)],
      ask: ask((w) => w.parties[name].id),
      nothing,
    })),
  };
}

export const keys: readonly Case[] = NAMES.map((name) => ({
  of: `the key of ${name}`,
  known: [name, ...OPERATORS.filter((operator) => operator !== name)],
  ask: (w) => ({ path: `/v1/keys/${w.parties[name].kid}` }),
  nothing: [(w) => ({ path: `/v1/keys/${w.nobody.kid}` }), get(`/v1/keys/${NO_KID}`)],
}));

export function mandateCase(of: string, known: readonly CallerName[], id: (world: World) => string): Case {
  const ask = (w: World) => ({ path: `/v1/mandates/${id(w)}` });
  return { of, known: [...known, ...OPERATORS], ask, nothing: [get('/v1/mandates/none')] };
}

export const YEAR = { off: ['01-01/01-03'], work: [], notice: '国办发明电' };
export const FIGURES = [{ name: 'baseFloor', from: '2026-07-01', value: 450_000, source: '测试' }];
export const EXTENSION = {
  types: ['tax.*'],
  region: '350000',
  periods: { from: '2026-10-01', to: '2026-10-31' },
  dueDate: '2026-11-30',
  reason: { zh: '台风', en: 'typhoon' },
};
export function keyBody({ gateway }: World, id: string): unknown {
  const key = newParty(id);
  return { jwk: key.publicJwk, proof: key.proof(gateway.issuer) };
}

/** Public operations over a JWS, whose signature says who asks: a good one each time. What others sign is in signed.ts. */
export const signed = {
  filing: ({ gateway, parties: { filer } }: World) => filer.filing(gateway.issuer, lodging({ filer: filer.id })),
  rotation: async ({ gateway }: World): Promise<Ask> => {
    const party = await register(gateway);
    const next = newParty(party.id);
    const iat = Math.floor(Date.now() / 1000);
    const claims = { jwk: next.publicJwk, proof: next.proof(gateway.issuer), aud: gateway.issuer, iat };
    return { path: '/v1/keys/rotation', headers: JOSE, body: party.jws(JSON.stringify(claims), {}) };
  },
  mandate: async ({ gateway, parties: { filer, strangerAgent } }: World): Promise<Ask> => {
    const id = `signed-${freshUscc()}`;
    const iat = Math.floor(Date.now() / 1000);
    const terms = {
      id,
      agent: strangerAgent.id,
      filer: filer.id,
      types: ['amr.*'],
      from: '2001-01-01',
      to: '2001-01-01',
      iat,
    };
    const body = filer.jws(JSON.stringify(terms), { typ: 'mandate+jws', aud: gateway.issuer });
    return { path: '/v1/mandates', headers: JOSE, body };
  },
  token: ({ gateway, parties: { filer } }: World): Ask => ({
    path: '/oauth2/token',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: filer.assertion(gateway.issuer),
    }).toString(),
  }),
};

/** The name of a file that a page asks for; it changes with the content. */
export async function asset({ gateway }: World): Promise<Ask> {
  const page = (await gateway.ask('GET', '/')).text;
  return { path: /\/assets\/[^"'\s)]+/.exec(page)?.[0] ?? '/assets/none' };
}

export function mandate({ parties }: World, from: string): object {
  return { agent: parties.strangerAgent.id, filer: parties.filer.id, types: ['amr.*'], from, to: from };
}

export function lines(text: string): Ask {
  return { path: '/v1/import', headers: { ...JSON_TYPE, 'Content-Type': 'application/x-ndjson' }, body: `${text}\n` };
}
