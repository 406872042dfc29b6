import { beforeAll, expect, test } from 'vitest';
import { type Coverage, OfficeLog, ShenbaoError } from '../../src/client/client.ts';
import { sha256 } from '../../src/client/sha256.ts';
import { createTransport } from '../../src/client/transport.ts';
import { systemClock } from '../../src/std/clock.ts';
import { PATH, PROOF } from '../log/rfc-merkle.ts';
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
import { FAST, serveReplies } from './support.ts';

const NATIONAL = 'gateway.example/national';
const filings = Array.from({ length: 12 }, (_, i) => Buffer.from(`filing ${i}`));
const leaves = filings.map(leafOf);
let gateway: GatewayKeys;

beforeAll(async () => {
  gateway = await gatewayKeys();
});

const noteOf = (size: number, of = leaves): Promise<string> => checkpointOver(gateway.jwk, of.slice(0, size));
const textOf = (note: string): string => note.slice(0, note.lastIndexOf('\n\n') + 1);

interface Answer {
  readonly texts: readonly string[];
  readonly index: number;
  readonly extra?: string;
  readonly path?: readonly Buffer[];
  readonly origin?: string;
}

/** A gateway whose national log holds these texts and proves one of them, as the client of an office sees it. */
async function asked({ texts, index, extra, path, origin = NATIONAL }: Answer): Promise<OfficeLog> {
  const entries = texts.map((text) => Buffer.from(text));
  const proof = [
    'c2sp.org/tlog-proof@v1',
    `extra ${Buffer.from(extra ?? (texts[index] as string)).toString('base64')}`,
    `index ${index}`,
    ...(path ?? PATH(index, entries)).map((hash) => hash.toString('base64')),
    '',
    await checkpointOver(gateway.jwk, entries.map(leafOf), origin),
  ].join('\n');
  const { url } = await serveReplies((response, request) => {
    const { pathname, searchParams } = new URL(request.url, 'http://x');
    if (pathname.startsWith('/v1/national/proofs/')) {
      response.end(proof);
      return;
    }
    const [from, to] = [Number(searchParams.get('from')), Number(searchParams.get('to'))];
    const steps = from < to ? PROOF(from, filings.slice(0, to)) : [];
    response.end(JSON.stringify({ from, to, path: steps.map(b64u), checkpoint: '' }));
  });
  const transport = createTransport({
    base: url,
    fetch,
    retry: { policy: FAST, clock: systemClock, random: Math.random, sleep: async () => undefined },
    language: 'en',
  });
  return new OfficeLog(
    {
      transport,
      hash: sha256,
      issuer: async () => ISSUER,
      jwks: async () => gateway.jwks,
      authorized: (target, call, read) => transport.request(target, call, read),
    },
    OFFICE,
  );
}

async function refusal(log: OfficeLog, kept: string): Promise<string> {
  const outcome: Coverage | ShenbaoError = await log.covered(kept).catch((error: ShenbaoError) => error);
  expect(outcome).toBeInstanceOf(ShenbaoError);
  expect((outcome as ShenbaoError).code).toBe('verification-failed');
  return (outcome as ShenbaoError).message;
}

test('a checkpoint is covered by its own head, and by a later one that goes on from it', async () => {
  const texts = ['a\n', textOf(await noteOf(5)), 'b\n', textOf(await noteOf(9)), 'c\n'];
  for (const [index, size] of [
    [1, 5],
    [3, 9],
  ] as const) {
    const covered = await (await asked({ texts, index })).covered(await noteOf(5));
    expect(covered).toMatchObject({ index, head: { size, root: b64u(rootOf(leaves.slice(0, size))) } });
    expect(covered.national).toEqual({ size: 5, root: b64u(rootOf(texts.map(leafOf))) });
    expect(covered.checkpoint).toContain(`${NATIONAL}\n5\n`);
  }
});

test('a checkpoint is not covered by another history, a smaller head, or a proof that does not hold', async () => {
  const other = filings.with(2, Buffer.from('rewritten')).map(leafOf);
  const forked = [textOf(await noteOf(5, other)), textOf(await noteOf(9, other)), textOf(await noteOf(4))];
  const kept = await noteOf(5);
  for (const index of [0, 1, 2])
    expect(await refusal(await asked({ texts: forked, index }), kept)).toMatch(/go on from/);
  const texts = ['a\n', textOf(kept), 'b\n'];
  expect(await refusal(await asked({ texts, index: 1, path: [leafOf('a\n'), leafOf('x')] }), kept)).toMatch(
    /does not hold/,
  );
  expect(await refusal(await asked({ texts, index: 1, extra: textOf(await noteOf(9)) }), kept)).toMatch(
    /does not hold/,
  );
  expect(await refusal(await asked({ texts, index: 1, origin: 'other.example/national' }), kept)).toMatch(
    /does not hold/,
  );
  const stranger = textOf(await checkpointOver(gateway.jwk, leaves, 'gateway.example/offices/1'));
  expect(await refusal(await asked({ texts: [stranger], index: 0 }), kept)).toMatch(/does not hold: office/);
  const told = [
    `gateway.example/offices/${OFFICE}`,
    'recovered',
    `3 ${b64(3)}`,
    `5 ${b64(5)}`,
    '2026-11-20T08:00:00.000Z',
  ];
  const recovery = told.map((line) => `${line}\n`).join('');
  expect(await refusal(await asked({ texts: [recovery], index: 0 }), kept)).toMatch(/another kind/);
});

const b64 = (size: number): string => rootOf(leaves.slice(0, size)).toString('base64');

test('a checkpoint that the gateway never signed is not asked about', async () => {
  const forged = await checkpointOver((await gatewayKeys()).jwk, leaves);
  expect(await refusal(await asked({ texts: [textOf(forged)], index: 0 }), forged)).toMatch(/not the gateway's/);
});
