import { beforeAll, describe, expect, test } from 'vitest';
import { generateKey, type Jwk, verifyCheckpoint, verifyReceipt } from '../../src/client/client.ts';
import {
  b64u,
  checkpointOver,
  type GatewayKeys,
  gatewayKeys,
  hash,
  ISSUER,
  jwsOver,
  type LoggedFiling,
  logFilings,
  OFFICE,
  receiptsFor,
} from './office-fixture.ts';

const TICK = 7;
let gateway: GatewayKeys;
let filings: LoggedFiling[];
let receipts: object[];

beforeAll(async () => {
  gateway = await gatewayKeys();
  filings = await logFilings(TICK, await generateKey('ES256', '91350100M000100Y43'));
  receipts = await receiptsFor(gateway.jwk, filings);
});

const payloadOf = (index: number): Uint8Array => (filings[index] as LoggedFiling).payload;

describe('a receipt', () => {
  test('of every place in a tick verifies, with and without the payload', async () => {
    for (let index = 0; index < TICK; index++) {
      const short = await verifyReceipt(receipts[index], gateway.jwks);
      expect(short.ok).toBe(true);
      const full = await verifyReceipt(receipts[index], gateway.jwks, {
        payloadBytes: payloadOf(index),
        issuer: ISSUER,
      });
      expect(full.steps.map(({ step, ok }) => [step, ok])).toEqual(
        ['form', 'key', 'signature', 'issuer', 'tree', 'id', 'digest', 'leaf', 'content'].map((step) => [step, true]),
      );
      expect(full.statement?.id).toBe(`${OFFICE}.${index}`);
      for (const { text, reason } of full.steps) expect(text.zh && text.en && reason.zh && reason.en).toBeTruthy();
    }
  });

  test('fails after any change of one bit, wherever it is', async () => {
    const text = Buffer.from(JSON.stringify(receipts[2]));
    const survivors: number[] = [];
    for (let bit = 0; bit < text.length * 8; bit++) {
      const altered = Buffer.from(text);
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      const { ok } = await verifyReceipt(parse(altered), gateway.jwks, { payloadBytes: payloadOf(2) });
      if (ok) survivors.push(bit);
    }
    expect(survivors).toEqual([]);
  }, 120_000);

  test('fails for a payload that differs in one bit, or is another filing’s', async () => {
    for (const bit of [0, 9, 100, 333]) {
      const altered = Buffer.from(payloadOf(2));
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      const { ok, steps } = await verifyReceipt(receipts[2], gateway.jwks, { payloadBytes: altered });
      expect(ok).toBe(false);
      expect(steps.at(-1)).toMatchObject({ step: 'digest', ok: false });
    }
    expect((await verifyReceipt(receipts[2], gateway.jwks, { payloadBytes: payloadOf(3) })).ok).toBe(false);
  });

  test('names the step that failed', async () => {
    const receipt = receipts[2] as { path: string[]; salt: string };
    const failing = async (value: unknown, options = {}, jwks = gateway.jwks): Promise<unknown> =>
      (await verifyReceipt(value, jwks, options)).steps.at(-1)?.step;
    expect(await failing(null)).toBe('form');
    expect(await failing({ ...receipt, extra: 1 })).toBe('form');
    expect(await failing(receipt, {}, { keys: [] })).toBe('key');
    const impostor = { keys: [{ ...(await gatewayKeys()).jwks.keys[0], kid: gateway.jwk.kid } as Jwk] };
    expect(await failing(receipt, {}, impostor)).toBe('signature');
    expect(await failing(receipt, { issuer: 'https://another.example' })).toBe('issuer');
    expect(await failing({ ...receipt, path: receipt.path.slice(1) })).toBe('tree');
    expect(await failing({ ...receipt, path: receipt.path.toReversed() })).toBe('tree');
    expect(await failing({ ...receipt, leafIndex: 3 })).toBe('tree');
    const salt = (receipts[3] as { salt: string }).salt;
    expect(await failing({ ...receipt, salt }, { payloadBytes: payloadOf(2) })).toBe('leaf');
  });

  test('is refused, not choked on, when payload and statement hold what has no canonical form', async () => {
    const filed = JSON.parse(Buffer.from(payloadOf(0)).toString()) as object;
    const payload = Buffer.from(JSON.stringify({ ...filed, reference: '\ud800' }));
    const [receipt] = (await receiptsFor(gateway.jwk, filings)) as { statement: object }[];
    const statement = { ...receipt?.statement, digest: b64u(hash(payload)) };
    const text = await jwsOver(gateway.jwk, statement, 'receipt+jws');
    const report = await verifyReceipt(text, gateway.jwks, { payloadBytes: payload });
    expect(report.steps.at(-1)).toMatchObject({ step: 'content', ok: false });
    const leafless = await verifyReceipt(
      { ...receipt, statement: { ...statement, receivedAt: '\ud800' } },
      gateway.jwks,
      {
        payloadBytes: payload,
      },
    );
    expect(leafless.steps.at(-1)).toMatchObject({ step: 'tree', ok: false });
  });

  test('of a payload that contradicts its statement fails although both are signed', async () => {
    const lying = filings.map((filing) => ({ ...filing, payload: Buffer.from('{"type":"amr.recall"}') }));
    const [receipt] = await receiptsFor(gateway.jwk, lying);
    const { steps } = await verifyReceipt(receipt, gateway.jwks, {
      payloadBytes: Buffer.from('{"type":"amr.recall"}'),
    });
    expect(steps.at(-1)).toMatchObject({ step: 'leaf', ok: false });
  });
});

describe('a receipt as a compact JWS', () => {
  const signed = (typ: string): Promise<string> =>
    jwsOver(gateway.jwk, (receipts[2] as { statement: object }).statement, typ);

  test('verifies, and fails after any change of one bit', async () => {
    const text = await signed('receipt+jws');
    const report = await verifyReceipt(text, gateway.jwks, { payloadBytes: payloadOf(2), issuer: ISSUER });
    expect(report).toMatchObject({ ok: true, statement: { id: `${OFFICE}.2` } });
    expect((await verifyReceipt(text, gateway.jwks, { payloadBytes: payloadOf(3) })).ok).toBe(false);
    expect((await verifyReceipt(text, gateway.jwks, { issuer: 'https://another.example' })).ok).toBe(false);
    const bytes = Buffer.from(text);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes);
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      expect((await verifyReceipt(altered.toString('latin1'), gateway.jwks)).ok).toBe(false);
    }
  });

  test('is not to be had from a signature of another type', async () => {
    const report = await verifyReceipt(await signed('filing+jws'), gateway.jwks);
    expect(report).toMatchObject({ ok: false, steps: [{ step: 'form', ok: false }] });
  });
});

describe('a checkpoint', () => {
  const origin = `gateway.example/offices/${OFFICE}`;

  test('verifies and fails after any change of one bit', async () => {
    const note = await checkpointOver(
      gateway.jwk,
      filings.map(({ leaf }) => leaf),
    );
    expect(await verifyCheckpoint(note, gateway.jwks, { origin })).toMatchObject({ ok: true, size: TICK });
    const bytes = Buffer.from(note);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes);
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      expect((await verifyCheckpoint(altered.toString('latin1'), gateway.jwks, { origin })).ok).toBe(false);
      expect((await verifyCheckpoint(altered.toString(), gateway.jwks, { origin })).ok).toBe(false);
    }
  });

  test('of another log, or by another key, is refused', async () => {
    const leaves = [hash(Buffer.from('x'))];
    const other = await checkpointOver(gateway.jwk, leaves, 'gateway.example/offices/other');
    const refused = {
      ok: false,
      reason: 'signature',
      steps: [expect.objectContaining({ step: 'signature', ok: false })],
    };
    expect(await verifyCheckpoint(other, gateway.jwks, { origin })).toEqual(refused);
    const foreign = await checkpointOver((await gatewayKeys()).jwk, leaves);
    expect(await verifyCheckpoint(foreign, gateway.jwks, { origin })).toEqual(refused);
  });
});

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
