import fc from 'fast-check';
import { lodging, newParty, type SigningParty } from '../support/filer.ts';
import type { Gateway, PartyName } from '../support/gateway.ts';
import { freshUscc, OFFICE, register, submit } from '../support/parties.ts';
import { until } from '../support/until.ts';
import type { Body, Draft, Line, Signed } from './draft.ts';
import { treeOf } from './tree.ts';

/** What the requests speak of, made once. */
export interface Stage {
  readonly issuer: string;
  readonly filer: SigningParty;
  readonly agentId: string;
  readonly filingId: string;
  readonly tokens: ReadonlyMap<PartyName, string>;
  /** Of the operations that use them up. */
  readonly batches: { readonly acknowledged: Batch; readonly released: Batch };
  readonly revoked: SigningParty;
  readonly rotated: { readonly old: SigningParty; readonly next: SigningParty };
  readonly added: SigningParty;
}

interface Batch {
  readonly id: string;
  readonly to: number;
  readonly root: string;
}

const ROLES = ['operator', 'filer', 'psb'] as const;
const OFFICES = `v1/offices/${OFFICE.psb}`;

export async function setStage(gateway: Gateway): Promise<Stage> {
  const filer = gateway.party('filer');
  const { id } = (await submit(gateway, filer, lodging())).json() as { id: string };
  for (let more = 0; more < 9; more++) await submit(gateway, filer, lodging());
  const tokens = new Map<PartyName, string>();
  for (const role of ROLES) tokens.set(role, await gateway.token(gateway.party(role)));
  await gateway.ask('GET', `/${OFFICES}/checkpoint`, { as: 'psb' });
  await until('the head of the office in the national log', async () => {
    const { status } = await gateway.ask('GET', `/v1/national/proofs/${OFFICE.psb}`);
    return status === 200;
  });
  const rotating = await register(gateway);
  const added = await register(gateway);
  return {
    issuer: gateway.issuer,
    filer,
    agentId: (await register(gateway, { kind: 'agent' })).id,
    filingId: id,
    tokens,
    batches: { acknowledged: await openBatch(gateway, 'acked'), released: await openBatch(gateway, 'released') },
    revoked: await register(gateway),
    rotated: { old: rotating, next: newParty(rotating.id) },
    added: newParty(added.id, 'EdDSA'),
  };
}

async function openBatch(gateway: Gateway, name: string): Promise<Batch> {
  const options = {
    as: 'psb',
    headers: { 'Content-Type': 'application/json' },
    body: '{"max":3,"lease":3600}',
  } as const;
  const answer = await gateway.ask('POST', `/${OFFICES}/consumers/${name}/batches`, options);
  const { id, to, checkpoint } = answer.json() as { id: string; to: number; checkpoint: string };
  return { id, to, root: Buffer.from(checkpoint.split('\n')[2] ?? '', 'base64').toString('base64url') };
}

type Make = (stage: Stage) => fc.Arbitrary<Draft>;

function request(stage: Stage, method: string, target: string, as?: PartyName, body?: Body, media?: string): Draft {
  const [path = '', query = ''] = target.split('?');
  const token = as && stage.tokens.get(as);
  return {
    method,
    path: path.split('/'),
    query: query === '' ? [] : query.split('&').map((pair) => [pair.split('=')[0] ?? '', pair.split('=')[1] ?? '']),
    headers: [
      ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
      ...(media === undefined ? [] : [['Content-Type', media] as const]),
    ],
    ...(body === undefined ? {} : { body }),
  };
}

/** A reading, of one of these targets. */
const get =
  (targets: (stage: Stage) => readonly string[], as?: PartyName): Make =>
  (stage) =>
    fc.constantFrom(...targets(stage)).map((target) => request(stage, 'GET', target, as));

/** A request with a JSON body; `target` and body from the same value. */
const send =
  <T>(
    method: string,
    as: PartyName,
    values: (stage: Stage) => fc.Arbitrary<T>,
    make: (value: T, stage: Stage) => readonly [target: string, body: unknown],
  ): Make =>
  (stage) =>
    values(stage).map((value) => {
      const [target, body] = make(value, stage);
      return request(stage, method, target, as, { kind: 'json', tree: treeOf(body) }, 'application/json');
    });

const words = fc.constantFrom('甲', '福州示例有限公司', 'A company', '测试');
const code = fc.integer({ min: 0, max: 30 });
const uscc = fc.constantFrom(...Array.from({ length: 20 }, freshUscc));
const reference = fc.integer({ min: 0, max: 1_000_000 }).map((n) => `F-${n}`);

const filing = (stage: Stage): fc.Arbitrary<Signed> =>
  fc.tuple(reference, fc.boolean()).map(([text, isFlattened]) => ({
    kind: 'jws',
    by: stage.filer,
    header: treeOf({ alg: stage.filer.alg, kid: stage.filer.kid, typ: 'filing+jws', aud: stage.issuer }),
    payload: treeOf(lodging({ reference: text })),
    isFlattened,
  }));

const submission =
  (target: string): Make =>
  (stage) =>
    filing(stage).map((body) =>
      request(stage, 'POST', target, undefined, body, body.isFlattened ? 'application/jose+json' : 'application/jose'),
    );

const validation: Make = (stage) =>
  fc.oneof(
    submission('v1/validations')(stage),
    reference.map((text) => {
      const body: Body = { kind: 'json', tree: treeOf(lodging({ reference: text })) };
      return request(stage, 'POST', 'v1/validations', undefined, body, 'application/json');
    }),
  );

const ndjson = (stage: Stage, target: string, lines: readonly Line[], as?: PartyName): Draft =>
  request(stage, 'POST', target, as, { kind: 'lines', lines, end: '\n' }, 'application/x-ndjson');

const bulk: Make = (stage) =>
  fc.array(filing(stage), { minLength: 1, maxLength: 4 }).map((lines) => ndjson(stage, 'v1/filings/bulk', lines));

const importing: Make = (stage) => {
  const registration = { from: '2020-01-01', office: OFFICE.tax };
  const line = fc.tuple(uscc, words, code).chain(([id, name, n]) =>
    fc.constantFrom(
      { op: 'party', id, kind: 'filer', name, taxpayerKind: 'small' },
      { op: 'office', office: `I${n}`, agency: 'tax', region: '350100', name: { zh: name, en: name } },
      {
        op: 'registration',
        filer: stage.filer.id,
        registrations: Object.values(OFFICE).map((office) => ({ ...registration, office })),
      },
      {
        op: 'mandate',
        id: `i-${n}`,
        agent: stage.agentId,
        filer: stage.filer.id,
        types: ['tax.*'],
        from: '2026-01-01',
      },
      { op: 'key', party: stage.added.id, jwk: stage.added.publicJwk },
    ),
  );
  return fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) =>
    ndjson(
      stage,
      'v1/import',
      lines.map((tree) => ({ kind: 'json', tree: treeOf(tree) })),
      'operator',
    ),
  );
};

const rotation: Make = (stage) => {
  const { old, next } = stage.rotated;
  const payload = {
    jwk: next.publicJwk,
    proof: next.proof(stage.issuer),
    aud: stage.issuer,
    iat: Math.floor(Date.now() / 1000),
  };
  const header = treeOf({ alg: old.alg, kid: old.kid });
  const body: Body = { kind: 'jws', by: old, header, payload: treeOf(payload), isFlattened: false };
  return fc.constant(request(stage, 'POST', 'v1/keys/rotation', undefined, body, 'application/jose'));
};

/** Seconds since the epoch, each a second after the one before: of two mandates under one id the gateway wants the later. */
let signedAt = Math.floor(Date.now() / 1000) - 86_400;

const givenMandate: Make = (stage) => {
  const { filer, agentId, issuer } = stage;
  const header = treeOf({ alg: filer.alg, kid: filer.kid, typ: 'mandate+jws', aud: issuer });
  return code.map((n) => {
    const iat = signedAt++;
    const terms = { id: `s-${n}`, agent: agentId, filer: filer.id, types: ['amr.*'], from: '2026-01-01', iat };
    const body: Body = { kind: 'jws', by: filer, header, payload: treeOf(terms), isFlattened: false };
    return request(stage, 'POST', 'v1/mandates', undefined, body, 'application/jose');
  });
};

const token: Make = (stage) =>
  fc.constantFrom('client_credentials').map((grant) => {
    const pairs = [
      ['grant_type', grant],
      ['client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
      ['client_assertion', stage.filer.assertion(stage.issuer)],
    ] as const;
    const body: Body = { kind: 'form', pairs };
    return request(stage, 'POST', 'oauth2/token', undefined, body, 'application/x-www-form-urlencoded');
  });

const YEAR = { off: ['01-01/01-03'], work: [], notice: '国办发明电' };
const EXTENSION = {
  types: ['tax.*'],
  region: '350000',
  periods: { from: '2026-10-01', to: '2026-10-31' },
  dueDate: '2026-11-30',
  reason: { zh: '台风', en: 'typhoon' },
};
const FIGURE = { name: 'baseFloor', from: '2026-07-01', value: 450_000, source: '测试' };

/** Acknowledging and giving back can be done again; so can all the others. */
const batch = (which: 'acknowledged' | 'released', name: string, stage: Stage): string =>
  `${OFFICES}/consumers/${name}/batches/${stage.batches[which].id}`;

/** By operation: valid requests, to be spoilt. A route of the gateway that is not here fails the test. */
export const GENERATORS: Readonly<Record<string, Make>> = {
  submitFiling: submission('v1/filings'),
  submitBulk: bulk,
  validateFiling: validation,
  findFilings: get(
    ({ filer }) => [
      'v1/filings',
      'v1/filings?limit=2',
      `v1/filings?filer=${filer.id}&type=psb.lodging&period=2026-10&limit=5`,
      `v1/filings?reference=F-1&digest=${'A'.repeat(43)}`,
    ],
    'filer',
  ),
  getFiling: get(({ filingId }) => [`v1/filings/${filingId}`], 'filer'),
  getReceipt: get(({ filingId }) => [`v1/filings/${filingId}/receipt`], 'filer'),
  getProof: get(({ filingId }) => [`v1/filings/${filingId}/proof`], 'filer'),
  getContent: get(({ filingId }) => [`v1/filings/${filingId}/content`], 'psb'),
  listObligations: get(({ filer }) => [`v1/filers/${filer.id}/obligations?from=2026-01-01&to=2026-12-31`], 'filer'),
  getPrefill: get(({ filer }) => [`v1/filers/${filer.id}/prefill?type=tax.vat.general&period=2026-10`], 'filer'),
  listFilingTypes: get(() => ['v1/filing-types']),
  reloadFilingTypes: (stage) => fc.constant(request(stage, 'POST', 'v1/filing-types/reload', 'operator')),
  getFilingType: get(() => ['v1/filing-types/tax.vat.general']),
  getFilingTypeSchema: get(() => ['v1/filing-types/tax.vat.general/versions/2026-02/schema']),
  getFilingTypeRules: get(() => ['v1/filing-types/tax.vat.general/versions/2026-02/rules']),
  getFilingTypeExample: get(() => ['v1/filing-types/tax.vat.general/versions/2026-02/example']),
  listHeads: get(() => ['v1/agencies/psb/heads', 'v1/agencies/psb/heads?since=0'], 'psb'),
  getCheckpoint: get(() => [`${OFFICES}/checkpoint`], 'psb'),
  getConsistency: get(() => [`${OFFICES}/consistency?from=3&to=7`, `${OFFICES}/consistency?from=5`], 'psb'),
  readEntries: get(() => [`${OFFICES}/entries?from=2&limit=3`, `${OFFICES}/entries`], 'psb'),
  getTile: get(() => [`${OFFICES}/tile/0/000.p/3`], 'psb'),
  listConsumers: get(() => [`${OFFICES}/consumers?limit=5&cursor=a`], 'psb'),
  getNationalCheckpoint: get(() => ['v1/national/checkpoint']),
  readNationalEntries: get(() => ['v1/national/entries?from=0&limit=1']),
  getNationalTile: get(() => ['v1/national/tile/0/000.p/1']),
  getNationalConsistency: get(() => ['v1/national/consistency?from=1&to=1']),
  getNationalProof: get(() => [`v1/national/proofs/${OFFICE.psb}?size=1`]),
  openBatch: send(
    'POST',
    'psb',
    () => fc.integer({ min: 1, max: 5 }),
    (max) => [`${OFFICES}/consumers/c${max}/batches`, { max, lease: 5 }],
  ),
  acknowledgeBatch: send(
    'PUT',
    'psb',
    () => fc.constant(0),
    (_, stage) => [
      `${batch('acknowledged', 'acked', stage)}/ack`,
      { size: stage.batches.acknowledged.to, root: stage.batches.acknowledged.root },
    ],
  ),
  releaseBatch: (stage) => fc.constant(request(stage, 'DELETE', batch('released', 'released', stage), 'psb')),
  putOffice: send(
    'PUT',
    'operator',
    () => fc.tuple(code, words),
    ([n, name]) => [`v1/offices/T${n}`, { agency: 'tax', region: '350100', name: { zh: name, en: name } }],
  ),
  getOffice: get(() => [OFFICES], 'operator'),
  putParty: send(
    'PUT',
    'operator',
    () => fc.tuple(uscc, words),
    ([id, name]) => [`v1/parties/${id}`, { kind: 'filer', name, taxpayerKind: 'small', status: 'active' }],
  ),
  getParty: get(({ filer }) => [`v1/parties/${filer.id}`], 'operator'),
  addKey: send(
    'POST',
    'operator',
    () => fc.constant(0),
    (_, { added, issuer }) => [`v1/parties/${added.id}/keys`, { jwk: added.publicJwk, proof: added.proof(issuer) }],
  ),
  listKeys: get(({ filer }) => [`v1/parties/${filer.id}/keys?limit=2&cursor=A`], 'filer'),
  getKey: get(({ filer }) => [`v1/keys/${filer.kid}`], 'filer'),
  revokeKey: send(
    'DELETE',
    'operator',
    () => words,
    (reason, { revoked }) => [`v1/keys/${revoked.kid}`, { reason }],
  ),
  rotateKey: rotation,
  putRegistrations: send(
    'PUT',
    'operator',
    () => fc.constantFrom('2020-01-01', '2021-06-30'),
    (from, { added }) => [
      `v1/parties/${added.id}/registrations`,
      [
        { office: OFFICE.tax, from },
        { office: OFFICE.si, from, to: '2099-12-31' },
      ],
    ],
  ),
  getRegistrations: get(({ filer }) => [`v1/parties/${filer.id}/registrations`], 'filer'),
  putMandate: send(
    'PUT',
    'operator',
    () => code,
    (n, { filer, agentId }) => [
      `v1/mandates/f-${n}`,
      { agent: agentId, filer: filer.id, types: ['tax.*', 'psb.lodging'], from: '2026-01-01', to: '2026-12-31' },
    ],
  ),
  getMandate: get(() => ['v1/mandates/demo'], 'filer'),
  giveMandate: givenMandate,
  importIdentity: importing,
  putCalendarYear: send(
    'PUT',
    'operator',
    () => fc.integer({ min: 2040, max: 2050 }),
    (year) => [`v1/calendar/years/${year}`, YEAR],
  ),
  listCalendarYears: get(() => ['v1/calendar/years']),
  getCalendarYear: get(() => ['v1/calendar/years/2026']),
  deleteCalendarYear: (stage) => fc.constant(request(stage, 'DELETE', 'v1/calendar/years/2051', 'operator')),
  putDeadline: send(
    'PUT',
    'operator',
    () => code,
    (n) => [`v1/calendar/deadlines/f-${n}`, EXTENSION],
  ),
  listDeadlines: get(() => ['v1/calendar/deadlines?limit=1&cursor=a']),
  getDeadline: get(() => ['v1/calendar/deadlines/kept']),
  deleteDeadline: (stage) => fc.constant(request(stage, 'DELETE', 'v1/calendar/deadlines/gone', 'operator')),
  putFigures: send(
    'PUT',
    'operator',
    () => fc.constantFrom('350200', '350300'),
    (region) => [`v1/regions/${region}/figures`, [FIGURE]],
  ),
  getFigures: get(() => ['v1/regions/350200/figures']),
  listTrail: get(() => ['v1/trail?limit=3&result=done&action=putParty', 'v1/trail?cursor=5'], 'operator'),
  exportTrail: get(() => ['v1/trail/export?after=1'], 'operator'),
  issueToken: token,
  getJwks: get(() => ['.well-known/jwks.json']),
  getOAuthMetadata: get(() => ['.well-known/oauth-authorization-server']),
  getHealth: get(() => ['healthz']),
  getReadiness: get(() => ['readyz']),
  getMetrics: get(() => ['metrics']),
  getOpenApi: get(() => ['openapi.json']),
  listProblems: get(() => ['v1/problems']),
  getLimits: get(() => ['v1/limits'], 'filer'),
  getFrontPage: get(() => ['', '?lang=en']),
  getDocs: get(() => ['docs']),
  getAsset: get(() => ['assets/style.css']),
};
