import { freshUscc, OFFICE, operate, register } from '../support/parties.ts';
import { type Entry, get, JOSE, json } from './entry.ts';
import {
  act,
  asset,
  EVERYBODY,
  EXTENSION,
  everybody,
  FIGURES,
  findings,
  keyBody,
  keys,
  lines,
  mandate,
  mandateCase,
  NO_KID,
  OFFICES,
  OPERATORS,
  ofBatch,
  ofFiler,
  ofFiling,
  ofNational,
  ofOffice,
  ofParty,
  openings,
  rootOf,
  signed,
  YEAR,
} from './makers.ts';
import { giveKey, NAMES } from './world.ts';

let serial = 0;

/**
 * What everybody may ask of every operation, by its id. A new operation needs its entry here: whom it is for, what one can ask
 * of it, and to whom that exists.
 */
export const ENTRIES: Readonly<Record<string, Entry>> = {
  submitFiling: everybody((w) => ({ path: '/v1/filings', headers: JOSE, body: signed.filing(w) })),
  submitBulk: everybody((w) => ({
    path: '/v1/filings/bulk',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: `"${signed.filing(w)}"\n`,
  })),
  validateFiling: everybody((w) => ({ path: '/v1/validations', headers: JOSE, body: signed.filing(w) })),
  rotateKey: {
    access: 'public',
    cases: [
      {
        of: 'a rotation that is signed by the old key',
        known: NAMES,
        ask: () => ({ path: '/v1/keys/rotation', headers: JOSE, body: 'x' }),
        fresh: signed.rotation,
      },
    ],
  },
  giveMandate: {
    access: 'public',
    cases: [
      {
        of: 'a mandate that its filer signs',
        known: NAMES,
        ask: () => ({ path: '/v1/mandates', headers: JOSE, body: 'x' }),
        fresh: signed.mandate,
      },
    ],
  },
  issueToken: everybody(signed.token),

  getFiling: ofFiling(''),
  getReceipt: ofFiling('/receipt'),
  getProof: ofFiling('/proof'),
  getContent: ofFiling('/content'),
  findFilings: { access: EVERYBODY, cases: findings },
  listObligations: ofFiler(
    'obligations',
    ['filer', 'agent', 'taxAgent', 'office', 'taxOffice'],
    ['otherFiler', 'otherAgent', 'sisterOffice', 'taxOffice'],
  ),
  getPrefill: ofFiler(
    'prefill?type=tax.vat.general&period=2026-10',
    ['filer', 'agent', 'taxAgent'],
    ['otherFiler', 'otherAgent'],
  ),

  listHeads: {
    access: OFFICES,
    cases: [
      { of: 'the police', known: ['office', 'sisterOffice', ...OPERATORS], ask: get('/v1/agencies/psb/heads') },
      { of: 'taxes', known: ['taxOffice', ...OPERATORS], ask: get('/v1/agencies/tax/heads') },
      { of: 'emergencies', known: OPERATORS, ask: get('/v1/agencies/emg/heads') },
    ],
  },
  getCheckpoint: ofOffice(OFFICES, 'checkpoint'),
  getConsistency: ofOffice(OFFICES, 'consistency?from=1'),
  getTile: ofOffice(OFFICES, 'tile/0/000.p/1'),
  readEntries: ofOffice(['office'], 'entries?limit=1'),
  listConsumers: ofOffice(OFFICES, 'consumers'),
  openBatch: openings,
  acknowledgeBatch: ofBatch('/ack', { size: 1, root: NO_KID }, rootOf),
  releaseBatch: ofBatch('', {}, async () => ({})),

  getOffice: {
    access: EVERYBODY,
    cases: [{ of: 'an office', known: NAMES, ask: get(`/v1/offices/${OFFICE.psb}`) }],
  },
  getParty: ofParty(''),
  listKeys: ofParty('/keys'),
  getKey: { access: EVERYBODY, cases: keys },
  getRegistrations: {
    access: EVERYBODY,
    cases: ofParty('/registrations', ['filer', 'otherFiler']).cases,
  },
  getMandate: {
    access: EVERYBODY,
    cases: [
      mandateCase("a filer's mandate", ['filer', 'agent'], (w) => w.mandates.own),
      mandateCase("another filer's mandate", ['otherFiler', 'otherAgent'], (w) => w.mandates.other),
      mandateCase('a mandate that has ended', ['filer', 'pastAgent'], (w) => w.mandates.past),
    ],
  },

  putOffice: act(
    () => json(`/v1/offices/${OFFICE.psb}`, { agency: 'psb', region: '350100', name: { zh: '改', en: 'Changed' } }),
    async () => json(`/v1/offices/T${freshUscc()}`, { agency: 'tax', region: '350100', name: { zh: '新', en: 'New' } }),
  ),
  putParty: act(
    (w) => json(`/v1/parties/${w.parties.filer.id}`, { kind: 'filer', name: '改', status: 'suspended' }),
    async () => json(`/v1/parties/${freshUscc()}`, { kind: 'filer', name: '新' }),
  ),
  addKey: act(
    (w) => json(`/v1/parties/${w.parties.filer.id}/keys`, keyBody(w, w.parties.filer.id)),
    async (w) => json(`/v1/parties/${w.parties.filer.id}/keys`, keyBody(w, w.parties.filer.id)),
  ),
  revokeKey: act(
    (w) => json(`/v1/keys/${w.parties.filer.kid}`, { reason: '测试' }),
    async (w) => json(`/v1/keys/${(await giveKey(w.gateway, w.parties.filer.id)).kid}`, { reason: '测试' }),
  ),
  putRegistrations: act(
    (w) => json(`/v1/parties/${w.parties.filer.id}/registrations`, []),
    async (w) => {
      const { id } = await register(w.gateway);
      return json(`/v1/parties/${id}/registrations`, [{ office: OFFICE.tax, from: '2021-01-01' }]);
    },
  ),
  putMandate: act(
    (w) => json(`/v1/mandates/${w.mandates.own}`, mandate(w, '2001-01-01')),
    async (w) => json(`/v1/mandates/fresh-${++serial}`, mandate(w, '2001-01-01')),
  ),
  importIdentity: act(
    (w) => lines(`{"op":"party","id":"${w.parties.filer.id}","kind":"filer","name":"改","status":"suspended"}`),
    async () => lines(`{"op":"party","id":"${freshUscc()}","kind":"filer","name":"新"}`),
  ),
  reloadFilingTypes: act(get('/v1/filing-types/reload'), async () => ({ path: '/v1/filing-types/reload' })),

  putCalendarYear: act(
    () => json('/v1/calendar/years/2035', YEAR),
    async () => json('/v1/calendar/years/2036', YEAR),
  ),
  deleteCalendarYear: act(get('/v1/calendar/years/2026'), async ({ gateway }) => {
    await operate(gateway, 'PUT', '/v1/calendar/years/2037', YEAR);
    return { path: '/v1/calendar/years/2037' };
  }),
  putDeadline: act(
    () => json('/v1/calendar/deadlines/refused', EXTENSION),
    async () => json('/v1/calendar/deadlines/set', EXTENSION),
  ),
  deleteDeadline: act(get('/v1/calendar/deadlines/set'), async () => ({ path: '/v1/calendar/deadlines/set' })),
  putFigures: act(
    () => json('/v1/regions/350200/figures', FIGURES),
    async () => json('/v1/regions/350300/figures', FIGURES),
  ),
  getNationalCheckpoint: everybody({ path: '/v1/national/checkpoint' }),
  readNationalEntries: everybody({ path: '/v1/national/entries?limit=1' }),
  getNationalTile: ofNational('/v1/national/tile/0/000.p/1'),
  getNationalConsistency: ofNational('/v1/national/consistency?from=1'),
  getNationalProof: ofNational(`/v1/national/proofs/${OFFICE.psb}`),
  listCalendarYears: everybody({ path: '/v1/calendar/years' }),
  getCalendarYear: everybody({ path: '/v1/calendar/years/2026' }),
  listDeadlines: everybody({ path: '/v1/calendar/deadlines' }),
  getDeadline: {
    access: 'public',
    cases: [
      {
        of: 'a deadline that was set',
        known: NAMES,
        ask: get('/v1/calendar/deadlines/none'),
        fresh: async ({ gateway }) => {
          await operate(gateway, 'PUT', '/v1/calendar/deadlines/shown', EXTENSION);
          return { path: '/v1/calendar/deadlines/shown' };
        },
      },
    ],
  },
  getFigures: everybody({ path: '/v1/regions/350200/figures' }),

  listTrail: { access: ['operator'], cases: [{ of: 'the trail', known: OPERATORS, ask: get('/v1/trail?limit=1') }] },
  exportTrail: {
    access: ['operator'],
    cases: [{ of: 'the trail', known: OPERATORS, ask: get('/v1/trail/export?after=1000000') }],
  },

  listFilingTypes: everybody({ path: '/v1/filing-types' }),
  getFilingType: everybody({ path: '/v1/filing-types/tax.vat.general' }),
  getFilingTypeSchema: everybody({ path: '/v1/filing-types/tax.vat.general/versions/2026-02/schema' }),
  getFilingTypeRules: everybody({ path: '/v1/filing-types/tax.vat.general/versions/2026-02/rules' }),
  getFilingTypeExample: everybody({ path: '/v1/filing-types/tax.vat.general/versions/2026-02/example' }),
  getJwks: everybody({ path: '/.well-known/jwks.json' }),
  getOAuthMetadata: everybody({ path: '/.well-known/oauth-authorization-server' }),
  getHealth: everybody({ path: '/healthz' }),
  getReadiness: everybody({ path: '/readyz' }),
  getMetrics: everybody({ path: '/metrics' }),
  getOpenApi: everybody({ path: '/openapi.json' }),
  listProblems: everybody({ path: '/v1/problems' }),
  getFrontPage: everybody({ path: '/' }),
  getDocs: everybody({ path: '/docs' }),
  getAsset: {
    access: 'public',
    cases: [{ of: 'a style sheet', known: NAMES, ask: get('/assets/none'), fresh: asset }],
  },
  getLimits: { access: EVERYBODY, cases: [{ of: "one's own", known: NAMES, ask: get('/v1/limits') }] },
};
