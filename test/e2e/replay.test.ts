import { renameSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { filingOf, receiptText } from '../support/expect.ts';
import { flattened, lodging, newParty, type SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { register, submit, submitJws } from '../support/parties.ts';
import { openSignature, verifyReceiptText } from '../support/receipt-verifier.ts';
import { ask } from '../support/wire.ts';

type Jwks = { keys: Record<string, unknown>[] };

let gateway: Gateway;
let filer: SigningParty;

beforeAll(async () => {
  gateway = await startGateway();
  filer = gateway.party('filer');
});
afterAll(() => gateway.remove());

const jwks = async (): Promise<Jwks> => (await gateway.ask('GET', '/.well-known/jwks.json')).json() as Jwks;

test('1,000 identical submissions over 64 connections store one filing and get identical receipts', async () => {
  const party = await register(gateway);
  const payload = JSON.stringify(lodging({ filer: party.id }));
  const signed = [party.filing(gateway.issuer, payload), party.filing(gateway.issuer, payload)];
  // Not only the same bytes: the same filing signed twice, in both serializations.
  const bodies = [...signed, ...signed.map(flattened)];
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, i) => {
      const body = bodies[i % bodies.length] as string;
      const type = body.startsWith('{') ? 'application/jose+json' : 'application/jose';
      return ask(gateway.connections, 'POST', `${gateway.url}/v1/filings`, {
        headers: { 'Content-Type': type },
        body,
        agent,
      });
    }),
  );
  agent.destroy();
  const count = (status: number): number => answers.filter((answer) => answer.status === status).length;
  expect([count(201), count(200)]).toEqual([1, 999]);
  expect(new Set(answers.map(receiptText)).size).toBe(1);
  for (const answer of answers)
    expect(answer.headers['idempotent-replayed']).toBe(answer.status === 200 ? 'true' : undefined);
  const [row] = await (await gateway.sql())`SELECT count(*)::int AS n FROM filing WHERE filer = ${party.id}`;
  expect(row?.n).toBe(1);
});

test('replays and receipts stay the same bytes over a restart and a rotation of the gateway’s key', async () => {
  const filed = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const payload = JSON.stringify(lodging());
      const jws = filer.filing(gateway.issuer, payload);
      const answer = await submitJws(gateway, jws);
      return { payload, jws, id: filingOf(answer, 201).id, receipt: receiptText(answer) };
    }),
  );
  const same = async (): Promise<void> => {
    for (const { jws, id, receipt } of filed) {
      const again = await submitJws(gateway, jws);
      filingOf(again, 200);
      expect(receiptText(again)).toBe(receipt);
      expect((await gateway.ask('GET', `/v1/filings/${id}/receipt`, { as: 'filer' })).text).toBe(receipt);
    }
  };
  const before = await jwks();
  expect(before.keys).toHaveLength(1);
  await gateway.restart();
  expect(await jwks()).toEqual(before);
  await same();

  // Tokens are signed with it too: a new one is needed once the old ones end, and old ones still count.
  const { kid, privateKey } = newParty('', 'EdDSA');
  const file = path.join(gateway.dataDir, 'signing.jwk');
  await gateway.stop();
  renameSync(file, `${file}.old`);
  writeFileSync(file, JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid, alg: 'EdDSA' }), { mode: 0o600 });
  await gateway.start();
  const after = await jwks();
  expect(after.keys.map((each) => each.kid).sort()).toEqual([kid, before.keys[0]?.kid].sort());
  await same();
  for (const { receipt, payload, id } of filed)
    expect(verifyReceiptText(Buffer.from(receipt), after, Buffer.from(payload)).id).toBe(id);

  const payload = JSON.stringify(lodging());
  const fresh = receiptText(await submit(gateway, filer, payload));
  verifyReceiptText(Buffer.from(fresh), after, Buffer.from(payload));
  expect(openSignature((JSON.parse(fresh) as { signature: string }).signature, after).header.kid).toBe(kid);

  // Removed instead of replaced: another one is made, and nothing else changes.
  await gateway.stop();
  rmSync(file);
  await gateway.start();
  expect((await jwks()).keys).toHaveLength(3);
  await same();
}, 120_000);
