import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Head, type Jwk, ShenbaoClient } from '../../src/client/client.ts';
import type { FilingPayload } from '../../src/domain/filing.ts';
import { example, newParty, type Payload, type SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { OFFICE, operate, register } from '../support/parties.ts';

/** The last of its agency by code, so that it comes first for its urgent filing only. */
const FAR = '63599990000';
const ORDINARY = 200;

let gateway: Gateway;
let far: SigningParty;

beforeAll(async () => {
  gateway = await startGateway();
  far = newParty(FAR);
  const name = { zh: '远郊应急管理局', en: 'Outlying emergency bureau' };
  await operate(gateway, 'PUT', `/v1/offices/${FAR}`, { agency: 'emg', region: '359999', name });
  await operate(gateway, 'PUT', `/v1/parties/${FAR}`, { kind: 'office', name: name.zh });
  const proof = far.proof(gateway.issuer);
  await operate(gateway, 'POST', `/v1/parties/${FAR}/keys`, { jwk: far.publicJwk, proof });
});
afterAll(() => gateway.remove());

function clientOf(party: SigningParty): ShenbaoClient {
  const jwk = party.privateKey.export({ format: 'jwk' });
  const key = { ...jwk, kid: party.kid, alg: party.alg, sub: party.id } as unknown as Jwk;
  return new ShenbaoClient({ gateway: gateway.url, issuer: gateway.issuer, key });
}

function incident(filer: string, reference: string, changes: Payload): FilingPayload {
  const base = example('emg/incident', 'valid-chemical-first.json');
  const data = { ...(base.data as object), ...changes };
  return { ...base, filer, reference, data } as unknown as FilingPayload;
}

test('an urgent incident among 200 ordinary ones puts its office first until the office has acknowledged it', async () => {
  const near = await register(gateway, { registrations: [{ office: OFFICE.emg, from: '2020-01-01' }] });
  const distant = await register(gateway, { registrations: [{ office: FAR, from: '2020-01-01' }] });
  const file = async (party: SigningParty, payloads: FilingPayload[]): Promise<string[]> => {
    const ids: string[] = [];
    for await (const result of clientOf(party).submitBulk(payloads)) {
      if (!('filing' in result)) throw new Error(JSON.stringify(result));
      ids.push(result.filing.id);
    }
    return ids;
  };
  const ordinary = (party: SigningParty, count: number): FilingPayload[] =>
    Array.from({ length: count }, (_, i) => incident(party.id, `ORD-${i}`, i % 2 === 0 ? {} : { urgent: false }));
  await file(near, ordinary(near, ORDINARY / 2));
  const before = await file(distant, ordinary(distant, ORDINARY / 4));
  const [urgent] = await file(distant, [incident(distant.id, 'URGENT', { urgent: true })]);
  const after = await file(distant, ordinary(distant, ORDINARY / 2).slice(ORDINARY / 4));

  const office = clientOf(far);
  const size = before.length + 1 + after.length;
  const nearHead: Head = { office: OFFICE.emg, size: ORDINARY / 2 };
  const farHead: Head = { office: FAR, size };
  expect((await office.heads('emg')).items).toEqual([{ ...farHead, urgent: [urgent] }, nearHead]);

  const seen: string[] = [];
  const pull = office.office(FAR).pull('main', { onEntry: ({ entry }) => void seen.push(entry.id), save: () => {} });
  expect((await pull)?.to).toBe(size);
  expect(seen).toContain(urgent);
  expect((await office.heads('emg')).items).toEqual([nearHead, farHead]);
});

test('a correction is urgent or not by its own content, and a voiding never is', async () => {
  const filer = await register(gateway, { registrations: [{ office: FAR, from: '2020-01-01' }] });
  const office = clientOf(far);
  const urgentNow = async (): Promise<readonly string[]> =>
    (await office.heads('emg')).items.find((head) => head.office === FAR)?.urgent ?? [];
  const client = clientOf(filer);
  const { filing: first } = await client.submit(incident(filer.id, 'CHANGING', {}));
  expect(await urgentNow()).toEqual([]);
  const worse = incident(filer.id, 'CHANGING', { urgent: true });
  const { filing: second } = await client.submit({ ...worse, kind: 'correction', supersedes: first.id });
  expect(await urgentNow()).toEqual([second.id]);
  const { data: _, ...envelope } = worse;
  await client.submit({ ...envelope, kind: 'void', supersedes: second.id });
  expect(await urgentNow()).toEqual([second.id]);
});
