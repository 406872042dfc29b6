import { filingOf } from '../support/expect.ts';
import { lodging, newParty, type SigningParty } from '../support/filer.ts';
import type { Gateway, PartyName } from '../support/gateway.ts';
import { freshUscc, OFFICE, register, submit } from '../support/parties.ts';
import { until } from '../support/until.ts';
import type { Answer } from '../support/wire.ts';

/** What the calls work on, made once. */
export interface Stage {
  readonly gateway: Gateway;
  readonly filer: SigningParty;
  readonly filingId: string;
  readonly agentId: string;
}

export async function setStage(gateway: Gateway): Promise<Stage> {
  const filer = gateway.party('filer');
  const { id } = filingOf(await submit(gateway, filer, lodging()), 201);
  for (let i = 0; i < 300; i += 50)
    await Promise.all(Array.from({ length: 50 }, () => submit(gateway, filer, lodging())));
  const agent = await register(gateway, { kind: 'agent' });
  return { gateway, filer, filingId: id, agentId: agent.id };
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
type Call = (stage: Stage) => Promise<Answer> | Promise<Answer[]>;

const get =
  (target: string | ((stage: Stage) => string), as?: PartyName, headers: Record<string, string> = {}): Call =>
  (stage) => {
    const path = typeof target === 'string' ? target : target(stage);
    return stage.gateway.ask('GET', path, { headers, ...(as === undefined ? {} : { as }) });
  };

/** Programs and browsers ask for the same. */
function asDocumentAndPage(target: string): Call {
  return async ({ gateway }) => [
    await gateway.ask('GET', target),
    await gateway.ask('GET', target, { headers: { Accept: 'text/html' } }),
  ];
}

const send =
  (
    method: 'PUT' | 'POST' | 'DELETE',
    target: string | ((stage: Stage) => string),
    as: PartyName,
    body: (stage: Stage) => unknown,
  ): Call =>
  (stage) =>
    stage.gateway.ask(method, typeof target === 'string' ? target : target(stage), {
      as,
      headers: JSON_TYPE,
      body: JSON.stringify(body(stage)),
    });

const OFFICES = `/v1/offices/${OFFICE.psb}`;
const batches = (name: string): string => `${OFFICES}/consumers/${name}/batches`;

async function openBatch(
  { gateway }: Stage,
  name: string,
): Promise<{ answer: Answer; id: string; to: number; checkpoint: string }> {
  const answer = await gateway.ask('POST', batches(name), { as: 'psb', headers: JSON_TYPE, body: '{"max":3}' });
  return { answer, ...(answer.json() as { id: string; to: number; checkpoint: string }) };
}

async function acknowledge(stage: Stage): Promise<Answer> {
  const { id, to, checkpoint } = await openBatch(stage, 'acknowledging');
  const root = Buffer.from(checkpoint.split('\n')[2] ?? '', 'base64').toString('base64url');
  return stage.gateway.ask('PUT', `${batches('acknowledging')}/${id}/ack`, {
    as: 'psb',
    headers: JSON_TYPE,
    body: JSON.stringify({ size: to, root }),
  });
}

async function addKeys({ gateway }: Stage): Promise<Answer[]> {
  const party = await register(gateway);
  const key = newParty(party.id, 'EdDSA');
  const body = JSON.stringify({ jwk: key.publicJwk, proof: key.proof(gateway.issuer) });
  const add = () => gateway.ask('POST', `/v1/parties/${party.id}/keys`, { as: 'operator', headers: JSON_TYPE, body });
  return [await add(), await add()];
}

async function rotate({ gateway }: Stage): Promise<Answer> {
  const party = await register(gateway);
  const next = newParty(party.id);
  const iat = Math.floor(Date.now() / 1000);
  const claims = { jwk: next.publicJwk, proof: next.proof(gateway.issuer), aud: gateway.issuer, iat };
  const body = party.jws(JSON.stringify(claims), {});
  return gateway.ask('POST', '/v1/keys/rotation', { headers: { 'Content-Type': 'application/jose' }, body });
}

async function giveMandateTwice({ gateway, filer, agentId }: Stage): Promise<Answer[]> {
  const iat = Math.floor(Date.now() / 1000);
  const terms = { id: `s-${freshUscc()}`, agent: agentId, filer: filer.id, types: ['amr.*'], from: '2026-01-01', iat };
  const body = filer.jws(JSON.stringify(terms), { typ: 'mandate+jws', aud: gateway.issuer });
  const give = () => gateway.ask('POST', '/v1/mandates', { headers: { 'Content-Type': 'application/jose' }, body });
  return [await give(), await give()];
}

async function revoke({ gateway }: Stage): Promise<Answer> {
  const { kid } = await register(gateway);
  return gateway.ask('DELETE', `/v1/keys/${kid}`, { as: 'operator', headers: JSON_TYPE, body: '{"reason":"测试"}' });
}

async function release(stage: Stage): Promise<Answer> {
  const { id } = await openBatch(stage, 'releasing');
  return stage.gateway.ask('DELETE', `${batches('releasing')}/${id}`, { as: 'psb' });
}

async function bulk({ gateway, filer }: Stage): Promise<Answer> {
  const lines = [filer.filing(gateway.issuer, lodging()), 'x'].map((line) => `"${line}"\n`).join('');
  return gateway.ask('POST', '/v1/filings/bulk', { headers: { 'Content-Type': 'application/x-ndjson' }, body: lines });
}

async function file({ gateway, filer }: Stage): Promise<Answer[]> {
  const payload = lodging();
  return [await submit(gateway, filer, payload), await submit(gateway, filer, payload)];
}

async function token({ gateway, filer }: Stage): Promise<Answer> {
  return gateway.ask('POST', '/oauth2/token', {
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: filer.assertion(gateway.issuer),
    }).toString(),
  });
}

/** The newest content of each style sheet and script changes its name: taken from the page that asks for it. */
async function asset({ gateway }: Stage): Promise<Answer> {
  const page = (await gateway.ask('GET', '/')).text + (await gateway.ask('GET', '/docs')).text;
  const name = /\/assets\/[^"'\s)]+/.exec(page)?.[0];
  if (name === undefined) throw new Error('no page asks for an asset');
  return gateway.ask('GET', name);
}

async function tiles({ gateway }: Stage): Promise<Answer[]> {
  await gateway.ask('GET', `${OFFICES}/checkpoint`, { as: 'psb' });
  return [await gateway.ask('GET', `${OFFICES}/tile/0/000`, { as: 'psb' })];
}

/** The national log takes up a head some seconds after it was signed. */
function national(target: string): Call {
  return async ({ gateway }) => {
    await gateway.ask('GET', `${OFFICES}/checkpoint`, { as: 'psb' });
    await until('the head of the office in the national log', async () => {
      const { status } = await gateway.ask('GET', `/v1/national/proofs/${OFFICE.psb}`);
      return status === 200;
    });
    return gateway.ask('GET', target);
  };
}

const YEAR = { off: ['01-01/01-03'], work: [], notice: '国办发明电' };
const EXTENSION = {
  types: ['tax.*'],
  region: '350000',
  periods: { from: '2026-10-01', to: '2026-10-31' },
  dueDate: '2026-11-30',
  reason: { zh: '台风', en: 'typhoon' },
};
const FIGURES = [{ name: 'baseFloor', from: '2026-07-01', value: 450_000, source: '测试' }];

/** What is read, and sent again, must have been set. */
async function setBefore(
  { gateway }: Stage,
  path: string,
  body: unknown,
  ...asked: readonly (readonly [method: string, as?: PartyName])[]
): Promise<Answer[]> {
  const answers = [await gateway.ask('PUT', path, { as: 'operator', headers: JSON_TYPE, body: JSON.stringify(body) })];
  for (const [method, as] of asked) answers.push(await gateway.ask(method, path, as === undefined ? {} : { as }));
  return answers.slice(-Math.max(1, asked.length));
}

const ids = {
  office: (): string => `T${freshUscc()}`,
};

/** A successful call of every operation, by its id. An operation without one fails the test: write it here. */
export const CALLS: Readonly<Record<string, Call>> = {
  submitFiling: file,
  findFilings: get('/v1/filings?limit=2', 'filer'),
  submitBulk: bulk,
  validateFiling: (stage) =>
    stage.gateway.ask('POST', '/v1/validations', { headers: JSON_TYPE, body: JSON.stringify(lodging({ data: {} })) }),
  getFiling: get(({ filingId }) => `/v1/filings/${filingId}`, 'filer'),
  getReceipt: async ({ gateway, filingId }) => {
    const target = `/v1/filings/${filingId}/receipt`;
    const forms = ['application/json', 'application/jose', 'text/html'];
    return Promise.all(forms.map((form) => gateway.ask('GET', target, { as: 'filer', headers: { Accept: form } })));
  },
  getProof: async ({ gateway, filingId }) => [
    await gateway.ask('GET', `/v1/filings/${filingId}/proof`, { as: 'filer' }),
    await gateway.ask('GET', `/v1/filings/${filingId}/proof?cosigned=true`, { as: 'filer' }),
  ],
  getContent: get(({ filingId }) => `/v1/filings/${filingId}/content`, 'filer'),
  listObligations: get(({ filer }) => `/v1/filers/${filer.id}/obligations?from=2026-01-01&to=2026-12-31`, 'filer'),
  getPrefill: get(({ filer }) => `/v1/filers/${filer.id}/prefill?type=tax.vat.general&period=2026-10`, 'filer'),
  listFilingTypes: asDocumentAndPage('/v1/filing-types'),
  reloadFilingTypes: (stage) => stage.gateway.ask('POST', '/v1/filing-types/reload', { as: 'operator' }),
  getFilingType: asDocumentAndPage('/v1/filing-types/tax.vat.general'),
  getFilingTypeSchema: get('/v1/filing-types/tax.vat.general/versions/2026-02/schema'),
  getFilingTypeRules: asDocumentAndPage('/v1/filing-types/tax.vat.general/versions/2026-02/rules'),
  getFilingTypeExample: get('/v1/filing-types/tax.vat.general/versions/2026-02/example'),
  listHeads: get('/v1/agencies/psb/heads', 'psb'),
  getCheckpoint: get(`${OFFICES}/checkpoint`, 'psb'),
  getConsistency: async ({ gateway }) => [
    await gateway.ask('GET', `${OFFICES}/consistency?from=5`, { as: 'psb' }),
    await gateway.ask('GET', `${OFFICES}/consistency?from=3&to=7`, { as: 'operator' }),
  ],
  readEntries: get(`${OFFICES}/entries?limit=5`, 'psb'),
  getTile: tiles,
  getNationalCheckpoint: get('/v1/national/checkpoint'),
  readNationalEntries: national('/v1/national/entries?limit=1'),
  getNationalTile: national('/v1/national/tile/0/000.p/1'),
  getNationalConsistency: national('/v1/national/consistency?from=1'),
  getNationalProof: national(`/v1/national/proofs/${OFFICE.psb}`),
  openBatch: async (stage) => (await openBatch(stage, 'opening')).answer,
  acknowledgeBatch: acknowledge,
  releaseBatch: release,
  listConsumers: get(`${OFFICES}/consumers`, 'psb'),
  putOffice: send(
    'PUT',
    () => `/v1/offices/${ids.office()}`,
    'operator',
    () => ({
      agency: 'tax',
      region: '350100',
      name: { zh: '测试机关', en: 'Test office' },
    }),
  ),
  getOffice: get(OFFICES, 'operator'),
  putParty: send(
    'PUT',
    () => `/v1/parties/${freshUscc()}`,
    'operator',
    () => ({ kind: 'filer', name: '测试' }),
  ),
  getParty: get(({ filer }) => `/v1/parties/${filer.id}`, 'operator'),
  addKey: addKeys,
  listKeys: get(({ filer }) => `/v1/parties/${filer.id}/keys`, 'filer'),
  getKey: get(({ filer }) => `/v1/keys/${filer.kid}`, 'filer'),
  revokeKey: revoke,
  rotateKey: rotate,
  putRegistrations: async ({ gateway }) => {
    const { id } = await register(gateway);
    const body = JSON.stringify([{ office: OFFICE.tax, from: '2020-01-01' }]);
    return gateway.ask('PUT', `/v1/parties/${id}/registrations`, { as: 'operator', headers: JSON_TYPE, body });
  },
  getRegistrations: get(({ filer }) => `/v1/parties/${filer.id}/registrations`, 'filer'),
  putMandate: send(
    'PUT',
    () => `/v1/mandates/m-${freshUscc()}`,
    'operator',
    ({ filer, agentId }) => ({
      agent: agentId,
      filer: filer.id,
      types: ['tax.*'],
      from: '2026-01-01',
    }),
  ),
  getMandate: get('/v1/mandates/demo', 'filer'),
  giveMandate: giveMandateTwice,
  importIdentity: ({ gateway, filer }) => {
    const lines = `{"op":"party","id":"${filer.id}","kind":"filer","name":"甲"}\nx\n`;
    return gateway.ask('POST', '/v1/import', {
      as: 'operator',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: lines,
    });
  },
  putCalendarYear: send('PUT', '/v1/calendar/years/2031', 'operator', () => YEAR),
  listCalendarYears: get('/v1/calendar/years'),
  getCalendarYear: async (stage) => [
    ...(await setBefore(stage, '/v1/calendar/years/2032', YEAR, ['GET'])),
    await stage.gateway.ask('GET', '/v1/calendar/years/2026'),
  ],
  deleteCalendarYear: (stage) => setBefore(stage, '/v1/calendar/years/2033', YEAR, ['DELETE', 'operator']),
  putDeadline: send('PUT', '/v1/calendar/deadlines/put', 'operator', () => EXTENSION),
  listDeadlines: async (stage) => {
    await setBefore(stage, '/v1/calendar/deadlines/listed', EXTENSION);
    return stage.gateway.ask('GET', '/v1/calendar/deadlines?limit=1');
  },
  getDeadline: (stage) => setBefore(stage, '/v1/calendar/deadlines/got', EXTENSION, ['GET']),
  deleteDeadline: (stage) => setBefore(stage, '/v1/calendar/deadlines/deleted', EXTENSION, ['DELETE', 'operator']),
  putFigures: send('PUT', '/v1/regions/350200/figures', 'operator', () => FIGURES),
  getFigures: async (stage) => [
    ...(await setBefore(stage, '/v1/regions/350300/figures', FIGURES, ['GET'])),
    await stage.gateway.ask('GET', '/v1/regions/110000/figures'),
  ],
  listTrail: get('/v1/trail?limit=5&result=done', 'operator'),
  exportTrail: get('/v1/trail/export?after=1', 'operator'),
  issueToken: token,
  getJwks: get('/.well-known/jwks.json'),
  getOAuthMetadata: get('/.well-known/oauth-authorization-server'),
  getHealth: get('/healthz'),
  getReadiness: get('/readyz'),
  getMetrics: get('/metrics'),
  getOpenApi: get('/openapi.json'),
  listProblems: get('/v1/problems'),
  getLimits: get('/v1/limits', 'filer'),
  getFrontPage: get('/'),
  getDocs: get('/docs'),
  getAsset: asset,
};
