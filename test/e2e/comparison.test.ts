import { afterAll, beforeAll, expect, test } from 'vitest';
import { CARRIED_FEN, CARRIED_RULE, vatReturn } from '../support/compared.ts';
import { expectViolation, type Filing, filingOf } from '../support/expect.ts';
import type { Payload, SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { OFFICE, register, submit } from '../support/parties.ts';
import { until } from '../support/until.ts';
import type { Answer } from '../support/wire.ts';

// Months of one year, long enough ago on any day on which this runs.
const [SEPTEMBER, OCTOBER] = ['2025-09', '2025-10'];

interface Compared extends Filing {
  readonly compared: boolean;
}

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ env: { WORKERS: '2' } });
}, 120_000);
afterAll(() => gateway.remove());

const get = (id: string, as: SigningParty | 'tax', headers: Record<string, string> = {}): Promise<Answer> =>
  gateway.ask('GET', `/v1/filings/${id}`, { as, headers });

const compared = (id: string, as: SigningParty): Promise<{ answer: Answer; filing: Compared }> =>
  until(`${id} is compared`, async () => {
    const answer = await get(id, as);
    const filing = filingOf(answer, 200) as Compared;
    return filing.compared && { answer, filing };
  });

const carried = ({ warnings }: Filing) => warnings.filter((warning) => warning.rule === CARRIED_RULE);

/** Files until it stands: a gateway that has just come back may first send its senders away. */
const file = (party: SigningParty, payload: Payload): Promise<Filing> =>
  until('the filing stands', async () => {
    const answer = await submit(gateway, party, payload).catch(() => undefined);
    return answer !== undefined && answer.status < 300 && (answer.json() as Filing);
  });

/** An October that does not go on from its September. */
async function fileWrongly(party: SigningParty): Promise<{ party: SigningParty; id: string }> {
  await file(party, vatReturn(party.id, SEPTEMBER, 0));
  return { party, id: (await file(party, vatReturn(party.id, OCTOBER, 1))).id };
}

const registerAll = (count: number): Promise<SigningParty[]> =>
  Promise.all(Array.from({ length: count }, () => register(gateway)));

test('a return that does not go on from the one before is found out after acceptance, for all who may read it', async () => {
  const party = await register(gateway);
  filingOf(await submit(gateway, party, vatReturn(party.id, SEPTEMBER, 0)), 201);
  const text = '上期留抵税额已经主管税务机关核减';
  const payload = JSON.stringify(vatReturn(party.id, OCTOBER, 1, { explanations: [{ rule: CARRIED_RULE, text }] }));
  const jws = party.filing(gateway.issuer, payload);
  const headers = { 'Content-Type': 'application/jose' };
  const first = await gateway.ask('POST', '/v1/filings', { headers, body: jws });
  const { id, warnings } = filingOf(first, 201);

  const { answer, filing } = await compared(id, party);
  expect(filing.warnings.slice(0, warnings.length)).toEqual(warnings);
  expect(carried(filing)).toEqual([
    expect.objectContaining({
      pointer: '/data/lines/13/generalMonth',
      line: '13',
      severity: 'warning',
      explanation: text,
    }),
  ]);
  for (const warning of filing.warnings) expectViolation(warning);
  const etag = answer.headers.etag as string;
  expect((await get(id, party, { 'If-None-Match': etag })).status).toBe(304);
  const office = filingOf(await get(id, 'tax'), 200) as Compared;
  expect([office.compared, carried(office)[0]?.pointer]).toEqual([true, '/data/lines/13/generalMonth']);
  const list = (await gateway.ask('GET', '/v1/filings?type=tax.vat.general', { as: party })).json() as {
    items: Compared[];
  };
  expect(list.items.map((item) => [item.id === id, carried(item).length])).toEqual([
    [true, 1],
    [false, 0],
  ]);

  const replay = await gateway.ask('POST', '/v1/filings', { headers, body: jws });
  expect([replay.status, replay.text]).toEqual([200, first.text]);

  const corrected = { ...vatReturn(party.id, OCTOBER, CARRIED_FEN), kind: 'correction', supersedes: id };
  const correction = filingOf(await submit(gateway, party, corrected), 201);
  expect(carried((await compared(correction.id, party)).filing)).toEqual([]);
  expect((await get(id, party)).headers.etag).not.toBe(etag);
});

test('two processes find each difference once', async () => {
  const total = async (): Promise<number> => {
    const { text } = await gateway.ask('GET', '/metrics');
    return Number(/^shenbao_comparison_findings_total (\d+)$/m.exec(text)?.[1] ?? 0);
  };
  const stored = async (): Promise<number> => {
    const sql = await gateway.sql();
    const [row] = await sql`SELECT coalesce(sum(jsonb_array_length(findings)), 0)::int AS n FROM filing_finding`;
    return row?.n as number;
  };
  const before = { total: await total(), stored: await stored() };
  const filers = await Promise.all((await registerAll(24)).map(fileWrongly));
  for (const { party, id } of filers) expect(carried((await compared(id, party)).filing)).toHaveLength(1);
  const found = (await stored()) - before.stored;
  expect(found).toBeGreaterThanOrEqual(filers.length);
  await until('each process has told its figures', async () => (await total()) - before.total >= found);
  expect((await total()) - before.total).toBe(found);
});

test('kill -9 between acceptance and comparison loses no finding', async () => {
  const filers: { party: SigningParty; id: string }[] = [];
  const parties = await registerAll(16);
  while (parties.length > 0) {
    filers.push(...(await Promise.all(parties.splice(0, 8).map(fileWrongly))));
    await gateway.kill();
    await gateway.start();
  }
  for (const { party, id } of filers) expect(carried((await compared(id, party)).filing)).toHaveLength(1);
  const sql = await gateway.sql();
  const [row] = await sql`
    SELECT h.size::int AS head, c.size::int AS compared
    FROM office_head h JOIN office_comparison c USING (lane, office) WHERE office = ${OFFICE.tax}`;
  expect(row?.compared).toBe(row?.head);
}, 300_000);
