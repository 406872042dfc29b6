import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filingOf, receiptText } from '../support/expect.ts';
import { lodging, type SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { submit } from '../support/parties.ts';
import { openSignature, verifyReceiptText } from '../support/receipt-verifier.ts';

type Jwks = { keys: Record<string, unknown>[] };

let gateway: Gateway;
let filer: SigningParty;
let jwks: Jwks;

beforeAll(async () => {
  gateway = await startGateway();
  filer = gateway.party('filer');
  jwks = (await gateway.ask('GET', '/.well-known/jwks.json')).json() as Jwks;
});
afterAll(() => gateway.remove());

interface Filed {
  readonly payload: Buffer;
  readonly receipt: Buffer;
  readonly id: string;
}

/** Filings that share ticks, so that their receipts have paths. */
async function file(count: number): Promise<Filed[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const payload = Buffer.from(JSON.stringify(lodging()));
      const answer = await submit(gateway, filer, payload);
      return { payload, receipt: Buffer.from(receiptText(answer)), id: filingOf(answer, 201).id };
    }),
  );
}

function isAccepted(receipt: Buffer, payload: Buffer, keys: Jwks = jwks): boolean {
  try {
    verifyReceiptText(receipt, keys, payload);
    return true;
  } catch {
    return false;
  }
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const altered = Buffer.from(bytes);
  altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return altered;
}

describe('a verifier that shares no code with the gateway', () => {
  test('accepts every receipt, single or of a tick of many', async () => {
    const filed = [...(await file(1)), ...(await file(150))];
    for (const { receipt, payload, id } of filed) expect(verifyReceiptText(receipt, jwks, payload).id).toBe(id);
    const sizes = filed.map(({ receipt }) => (JSON.parse(receipt.toString()) as { treeSize: number }).treeSize);
    expect(Math.max(...sizes)).toBeGreaterThan(3);
  });

  test('accepts the receipt that GET gives, and its form as a compact JWS', async () => {
    const [one] = (await file(1)) as [Filed];
    const json = await gateway.ask('GET', `/v1/filings/${one.id}/receipt`, { as: 'filer' });
    expect(json.text).toBe(one.receipt.toString());
    const jose = await gateway.ask('GET', `/v1/filings/${one.id}/receipt`, {
      as: 'filer',
      headers: { Accept: 'application/jose' },
    });
    expect(jose.headers['content-type']).toBe('application/jose');
    const { payload } = openSignature(jose.text, jwks);
    expect(JSON.parse(payload)).toEqual(verifyReceiptText(one.receipt, jwks, one.payload));
  });

  test('refuses a receipt after any change of one bit', async () => {
    const filed = await file(12);
    const { receipt, payload } =
      filed.find(({ receipt: text }) => text.includes('"leafIndex":2')) ?? (filed[0] as Filed);
    const survivors: number[] = [];
    for (let bit = 0; bit < receipt.length * 8; bit++)
      if (isAccepted(flipped(receipt, bit), payload)) survivors.push(bit);
    expect(survivors).toEqual([]);
  }, 120_000);

  test('refuses a payload after any change of one bit', async () => {
    const [{ receipt, payload }] = (await file(1)) as [Filed];
    const survivors: number[] = [];
    for (let bit = 0; bit < payload.length * 8; bit++)
      if (isAccepted(receipt, flipped(payload, bit))) survivors.push(bit);
    expect(survivors).toEqual([]);
  }, 120_000);

  test('refuses the parts of two receipts mixed, and keys of somebody else', async () => {
    const [a, b] = (await file(2)) as [Filed, Filed];
    expect(isAccepted(a.receipt, b.payload)).toBe(false);
    const [first, second] = [a, b].map(({ receipt }) => JSON.parse(receipt.toString()) as Record<string, unknown>);
    for (const name of ['statement', 'salt'])
      expect(isAccepted(Buffer.from(JSON.stringify({ ...first, [name]: second?.[name] })), a.payload)).toBe(false);
    expect(isAccepted(a.receipt, a.payload, { keys: [] })).toBe(false);
    const stranger = { keys: jwks.keys.map((key) => ({ ...key, x: filer.publicJwk.x })) };
    expect(isAccepted(a.receipt, a.payload, stranger)).toBe(false);
  });
});
