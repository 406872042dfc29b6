import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Extension, type Jwk, OfficeLog, ShenbaoError } from '../../src/client/client.ts';
import type { ConsistencyAnswer } from '../../src/client/extension.ts';
import { sha256 } from '../../src/client/sha256.ts';
import { createTransport } from '../../src/client/transport.ts';
import { systemClock } from '../../src/std/clock.ts';
import { PROOF } from '../log/rfc-merkle.ts';
import {
  b64u,
  checkpointOver,
  type GatewayKeys,
  gatewayKeys,
  ISSUER,
  leafOf,
  OFFICE,
  rootOf,
} from './office-fixture.ts';
import { FAST, json, problem, type Reply, serveReplies } from './support.ts';

const SIZE = 40;
const entries = Array.from({ length: SIZE }, (_, i) => Buffer.from(`entry ${i}`));
const leaves = entries.map(leafOf);
let gateway: GatewayKeys;

beforeAll(async () => {
  gateway = await gatewayKeys();
});

const checkpoint = (size: number, of = leaves, jwk: Jwk = gateway.jwk): Promise<string> =>
  checkpointOver(jwk, of.slice(0, size));
const honest = async (from: number, to = SIZE): Promise<ConsistencyAnswer & { from: number; to: number }> => ({
  from,
  to,
  path: PROOF(from, entries.slice(0, to)).map(b64u),
  checkpoint: await checkpoint(to),
});

/** A gateway that answers so, and the client's view of the log. */
async function asked(
  reply: Reply,
  jwks = async () => gateway.jwks,
): Promise<{ log: OfficeLog; paths: () => string[] }> {
  const { url, seen } = await serveReplies(reply);
  const transport = createTransport({
    base: url,
    fetch,
    retry: { policy: FAST, clock: systemClock, random: Math.random, sleep: async () => undefined },
    language: 'en',
  });
  const authorized: OfficeLogContext['authorized'] = (path, call, read) => transport.request(path, call, read);
  const log = new OfficeLog({ transport, hash: sha256, issuer: async () => ISSUER, jwks, authorized }, OFFICE);
  return { log, paths: () => seen.map((request) => request.url) };
}
type OfficeLogContext = ConstructorParameters<typeof OfficeLog>[0];

async function refused(kept: string, answer: unknown): Promise<string> {
  const { log } = await asked(json(200, answer));
  const outcome: Extension | ShenbaoError = await log.extend(kept).catch((error: ShenbaoError) => error);
  expect(outcome).toBeInstanceOf(ShenbaoError);
  expect((outcome as ShenbaoError).code).toBe('verification-failed');
  return (outcome as ShenbaoError).message;
}

describe('a kept checkpoint', () => {
  test('is extended by what the gateway proves', async () => {
    for (const from of [1, 2, 7, 8, 31, 32, 33, SIZE]) {
      const answer = await honest(from);
      const { log, paths } = await asked(json(200, answer));
      const root = b64u(rootOf(leaves));
      expect(await log.extend(await checkpoint(from))).toEqual({ size: SIZE, root, checkpoint: answer.checkpoint });
      expect(paths()).toEqual([`/v1/offices/${OFFICE}/consistency?from=${from}`]);
    }
  });

  test('of nothing is extended by any log, without a proof', async () => {
    const newest = await checkpoint(SIZE);
    const { log, paths } = await asked((response) => response.end(newest));
    expect((await log.extend(await checkpoint(0))).checkpoint).toBe(newest);
    expect(paths()).toEqual([`/v1/offices/${OFFICE}/checkpoint`]);
  });

  test('under an older key of the gateway is good, and a new key is asked for', async () => {
    const next = await gatewayKeys();
    const answer = { ...(await honest(7)), checkpoint: await checkpoint(SIZE, leaves, next.jwk) };
    const both = { keys: [...gateway.jwks.keys, ...next.jwks.keys] };
    const { log } = await asked(json(200, answer), async (fresh?: boolean) => (fresh ? both : gateway.jwks));
    expect((await log.extend(await checkpoint(7))).size).toBe(SIZE);
  });

  test('is not extended along a path that was tampered with', async () => {
    for (const from of [1, 7, 8, 33]) {
      const kept = await checkpoint(from);
      const answer = await honest(from);
      const { path } = answer;
      const tampered = [
        [...path, b64u(rootOf(leaves))],
        [],
        ...path.flatMap((_, i) => [path.toSpliced(i, 1), path.with(i, b64u(leafOf('x'))), path.with(i, `${path[i]}=`)]),
        ...path.slice(1).map((node, i) => path.with(i, node).with(i + 1, path[i] as string)),
      ];
      for (const wrong of tampered) {
        const message = await refused(kept, { ...answer, path: wrong });
        // The caller has one note and the message the other: that is the evidence.
        expect(message).toContain(answer.checkpoint);
      }
    }
  });

  test('is not extended by a history that was rewritten anywhere below it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: SIZE }), fc.nat(), async (from, at) => {
        const other = entries.with(at % from, Buffer.from('rewritten'));
        const note = await checkpoint(SIZE, other.map(leafOf));
        const path = PROOF(from, other).map(b64u);
        await refused(await checkpoint(from), { from, to: SIZE, path, checkpoint: note });
      }),
      { numRuns: 15 },
    );
  });

  test('is not extended by a smaller log, another log, or one that another key signed', async () => {
    const kept = await checkpoint(20);
    await refused(kept, { ...(await honest(20)), path: [], checkpoint: await checkpoint(19) });
    const stranger = await checkpointOver(gateway.jwk, leaves, 'gateway.example/offices/1');
    expect(await refused(kept, { ...(await honest(20)), checkpoint: stranger })).toMatch(/not the gateway's/);
    const forged = await checkpoint(SIZE, leaves, (await gatewayKeys()).jwk);
    expect(await refused(kept, { ...(await honest(20)), checkpoint: forged })).toMatch(/not the gateway's/);
    expect(await refused(await checkpoint(20, leaves, (await gatewayKeys()).jwk), await honest(20))).toMatch(
      /not the gateway's/,
    );
  });

  test('is not extended by an answer without a proof', async () => {
    for (const answer of [null, {}, { path: 'x', checkpoint: '' }, { path: [1], checkpoint: await checkpoint(SIZE) }]) {
      await refused(await checkpoint(20), answer);
    }
  });

  test('beyond the gateway’s newest shows that the log was cut short; other problems stay what they are', async () => {
    const short = await asked(problem(400, 'invalid-parameter', false));
    await expect(short.log.extend(await checkpoint(20))).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining('once signed 20 entries'),
      cause: expect.objectContaining({ code: 'invalid-parameter' }),
    });
    const foreign = await asked(problem(404, 'not-found', false));
    await expect(foreign.log.extend(await checkpoint(20))).rejects.toMatchObject({ code: 'not-found' });
  });
});
