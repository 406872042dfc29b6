import { createPublicKey, verify } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import {
  type Cosigner,
  canCosign,
  cosigner,
  generateKey,
  type Jwk,
  type PulledBatch,
  type PullState,
  publicJwk,
} from '../../src/client/client.ts';
import { pullBatch } from '../../src/client/pull.ts';
import { sha256 } from '../../src/client/sha256.ts';
import { parseSignature } from '../../src/log/checkpoint.ts';
import { cosignatureOf, namesKey } from '../../src/log/cosignature.ts';
import {
  checkpointOver,
  type GatewayKeys,
  gatewayKeys,
  hash,
  ISSUER,
  type LoggedFiling,
  logFilings,
  logWith,
  OFFICE,
} from './office-fixture.ts';

const SIZE = 12;
const NAME = `gateway.example/offices/${OFFICE}/cosigner`;
const clock = { now: () => 1_795_382_400_999, monotonic: () => 0 };

let gateway: GatewayKeys;
let filings: LoggedFiling[];
let key: Jwk;
let cosign: Cosigner;

beforeAll(async () => {
  gateway = await gatewayKeys();
  filings = await logFilings(SIZE, await generateKey('ES256', '91350100M000100Y43'));
  key = await generateKey('EdDSA', OFFICE);
  cosign = await cosigner(key, { clock });
});

const checkpoint = (size: number): Promise<string> =>
  checkpointOver(
    gateway.jwk,
    filings.slice(0, size).map(({ leaf }) => leaf),
  );

interface Ack {
  readonly size: number;
  readonly cosignature?: string;
}

/** Pulls [from, to) under a checkpoint; what the log was told, and what was kept. */
async function pull(
  from: number,
  to: number,
  options: { state?: PullState; note?: string; cosigner?: Cosigner } = {},
): Promise<{ ack: Ack; batch: PulledBatch }> {
  const log = logWith(
    filings.map(({ entry }) => entry),
    { from, to, checkpoint: options.note ?? (await checkpoint(to)) },
  );
  const context = { log, hash: sha256, issuer: async () => ISSUER, jwks: async () => gateway.jwks };
  const batch = await pullBatch(context, 'main', {
    ...(options.state === undefined ? {} : { state: options.state }),
    cosigner: options.cosigner,
    save: () => undefined,
  });
  if (batch === undefined) throw new Error('there was a batch');
  const [[, , ack] = []] = log.acks as [string, string, Ack][];
  return { ack: ack as Ack, batch };
}

/** C2SP tlog-cosignature, from its text. */
function holds(line: string, note: string, jwk: Jwk): boolean {
  const [dash, name, base64 = ''] = line.split(' ');
  const bytes = Buffer.from(base64, 'base64');
  const keyId = hash(Buffer.from(`${name}\n\x04`), Buffer.from(jwk.x ?? '', 'base64url')).subarray(0, 4);
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
  const message = Buffer.from(`cosignature/v1\ntime ${bytes.readBigUInt64BE(4)}\n${text}`);
  const publicKey = createPublicKey({ key: publicJwk(jwk) as never, format: 'jwk' });
  return dash === '—' && keyId.equals(bytes.subarray(0, 4)) && verify(null, message, publicKey, bytes.subarray(12));
}

test('a pull with a cosigner acknowledges with a cosignature over just its checkpoint', async () => {
  const first = await pull(0, 7, { cosigner: cosign });
  expect(first.ack).toEqual({ size: 7, root: first.batch.root, cosignature: expect.any(String) });
  const line = first.ack.cosignature as string;
  expect(line.split(' ')[1]).toBe(NAME);
  expect(holds(line, first.batch.checkpoint, key)).toBe(true);
  expect(holds(line, await checkpoint(8), key)).toBe(false);
  const parsed = cosignatureOf(parseSignature(line) as NonNullable<ReturnType<typeof parseSignature>>);
  expect(parsed?.time).toBe(1_795_382_400);
  expect(parsed && namesKey(sha256, parsed, { publicKey: Buffer.from(key.x ?? '', 'base64url') })).toBe(true);
  const next = await pull(7, SIZE, { cosigner: cosign, state: first.batch.state });
  expect(holds(next.ack.cosignature as string, next.batch.checkpoint, key)).toBe(true);
  // The acknowledgement was lost: it is made again, with nothing to read.
  const again = await pull(7, SIZE, { cosigner: cosign, state: next.batch.state });
  expect(again.ack.cosignature).toBeDefined();
});

test('without a cosigner the acknowledgement is as it always was', async () => {
  const { ack, batch } = await pull(0, 7);
  expect(Object.entries(ack)).toEqual([
    ['size', 7],
    ['root', batch.root],
  ]);
});

test('nothing is cosigned whose root did not come out, or that was not computed on from what is kept', async () => {
  const beyond = await pull(0, 7, { cosigner: cosign, note: await checkpoint(SIZE) });
  expect(beyond.ack).not.toHaveProperty('cosignature');
  const { batch } = await pull(0, SIZE);
  const older = await pull(0, 7, { cosigner: cosign, state: batch.state });
  expect(older.ack).not.toHaveProperty('cosignature');
  const wrong = (await checkpoint(7)).replace('gateway.example', 'gateway.exampl');
  await expect(pull(0, 7, { cosigner: cosign, note: wrong })).rejects.toMatchObject({ code: 'verification-failed' });
});

test('a cosigner of one’s own, over an HSM, is asked for the line', async () => {
  const asked: string[] = [];
  const own: Cosigner = async (note) => {
    asked.push(note);
    return '— of my own';
  };
  const { ack, batch } = await pull(0, 7, { cosigner: own });
  expect([ack.cosignature, asked]).toEqual(['— of my own', [batch.checkpoint]]);
});

test('only private Ed25519 keys can cosign', async () => {
  expect(canCosign(key)).toBe(true);
  for (const other of [await generateKey('ES256'), publicJwk(key)]) {
    expect(canCosign(other)).toBe(false);
    await expect(cosigner(other)).rejects.toThrow(/Ed25519/);
  }
  await expect(cosign('not a checkpoint')).rejects.toMatchObject({ code: 'verification-failed' });
});
