import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectProblem, filingOf } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { submit } from '../support/parties.ts';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.remove());

/** What no code foresees: somebody has changed a row, and a receipt that is made of it does not verify. */
test('a failure that nobody foresaw is a 500 with a request id and nothing else, and the gateway goes on', async () => {
  const { pid } = gateway;
  const damaged = filingOf(await submit(gateway, gateway.party('filer'), lodging()), 201);
  const sql = await gateway.sql();
  await sql`
    UPDATE filing SET leaf = set_byte(leaf, 0, get_byte(leaf, 0) # 1)
    WHERE office = ${damaged.office} AND idx = ${damaged.index}`;

  const answer = await gateway.ask('GET', `/v1/filings/${damaged.id}`, { as: 'filer' });
  const problem = expectProblem(answer, 500, 'internal');
  expect(Object.keys(problem).sort()).toEqual(['code', 'detail', 'instance', 'retryable', 'status', 'title', 'type']);
  expect(answer.text).not.toMatch(/tick|leaf|verif|\.js|\.ts|select/i);
  // Operators find it by that id.
  await expect.poll(() => gateway.output).toContain(problem.instance);

  expect((await gateway.ask('GET', '/healthz')).status).toBe(200);
  filingOf(await submit(gateway, gateway.party('filer'), lodging()), 201);
  expect(gateway.pid).toBe(pid);
  expect(gateway.hasEnded()).toBe(false);
});
