import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filingOf } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { forgetSubmissions } from '../support/output.ts';
import { submit } from '../support/parties.ts';
import { bytesOf, type Draft } from './draft.ts';
import { GENERATORS, type Stage, setStage } from './generators.ts';
import { MARKERS } from './hostile-values.ts';
import { type Mutation, mutationsOf, type Spoilt, spoil } from './mutations.ts';
import { expectSound, type Operation } from './oracle.ts';
import { RawClient } from './raw-client.ts';

/** FUZZ_SEED repeats a run; FUZZ_REQUESTS makes it longer or shorter. */
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31 - 1));
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 10_000);

/** Requests under way at once, each lane with a seed of its own. */
const LANES = 8;
/** What is no longer one request may never be answered; what is, comes sooner. */
const SILENT_MS = 150;

const RATES = Object.fromEntries(['FILER', 'AGENT', 'OFFICE', 'OPERATOR'].map((kind) => [`RATE_${kind}`, '100000']));

let gateway: Gateway;
let stage: Stage;
let client: RawClient;
let operations: ReadonlyMap<string, Operation>;
let sent = 0;

beforeAll(async () => {
  process.stdout.write(`FUZZ_SEED=${SEED}\n`);
  gateway = await startGateway({ env: { ...RATES, LOG_LEVEL: 'debug', NATIONAL_SECONDS: '1' } });
  stage = await setStage(gateway);
  forgetSubmissions();
  client = new RawClient(gateway.port);
  operations = await readOperations();
  const body = JSON.stringify({
    types: ['tax.*'],
    region: '350000',
    rule: { rule: 'none' },
    reason: { zh: '无', en: 'none' },
  });
  await gateway.ask('PUT', '/v1/calendar/deadlines/kept', {
    as: 'operator',
    headers: { 'Content-Type': 'application/json' },
    body,
  });
});
afterAll(async () => {
  client.close();
  await gateway.remove();
});

async function readOperations(): Promise<ReadonlyMap<string, Operation>> {
  const { paths } = (await gateway.ask('GET', '/openapi.json')).json() as {
    paths: Record<string, Record<string, { operationId: string; 'x-error-codes': string[]; responses: object }>>;
  };
  const all = Object.values(paths).flatMap((methods) => Object.values(methods));
  return new Map(
    all.map(({ operationId, 'x-error-codes': codes, responses }) => [
      operationId,
      { operationId, codes: new Set(codes), statuses: new Set(Object.keys(responses)) },
    ]),
  );
}

/** Those that take bodies have more that can be wrong; a reload reads a folder each time. */
function weightOf(operationId: string, draft: Draft): number {
  if (operationId === 'reloadFilingTypes') return 0.1;
  return draft.body === undefined ? 1 : 4;
}

async function exchange(spoilt: Spoilt, operation: Operation): Promise<void> {
  sent += 1;
  if (!spoilt.isUnframed) {
    expectSound(await client.ask(spoilt.bytes, spoilt.method), spoilt, operation);
    return;
  }
  const answers = await client.say(spoilt.bytes, spoilt.method, SILENT_MS);
  for (const answer of answers) expectSound(answer, { ...spoilt, isRouted: false }, operation);
}

/** A request as it can be repeated: after its mutations, by its seed. */
function printed(operationId: string, draft: Draft, mutations: readonly Mutation[]): string {
  const bytes = spoil(draft, mutations).bytes.toString('latin1');
  return `${operationId}, ${JSON.stringify(mutations)}\n${bytes.slice(0, 4_000)}`;
}

async function fuzz(operationId: string, runs: number, seed: number): Promise<void> {
  const operation = operations.get(operationId) as Operation;
  const make = GENERATORS[operationId] as (typeof GENERATORS)[string];
  const spoilt = make(stage).chain((draft) => mutationsOf(draft.body?.kind).map((mutations) => ({ draft, mutations })));
  const property = fc.asyncProperty(spoilt, ({ draft, mutations }) => exchange(spoil(draft, mutations), operation));
  const details = await fc.check(property, { numRuns: runs, seed, endOnFailure: false });
  if (!details.failed) return;
  const [example] = details.counterexample ?? [];
  const request = example === undefined ? '' : printed(operationId, example.draft, example.mutations);
  const error = details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  throw new Error(`FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS} -t '${operationId}'\n${request}\n\n${error}`);
}

test('every route has a generator, and no generator is left over', () => {
  expect(Object.keys(GENERATORS).sort()).toEqual([...operations.keys()].sort());
});

test.each(Object.keys(GENERATORS))('what is spoilt is good before: %s', async (operationId) => {
  const make = GENERATORS[operationId] as (typeof GENERATORS)[string];
  for (const draft of fc.sample(make(stage), { numRuns: 3, seed: SEED })) {
    const answer = await client.ask(bytesOf(draft), draft.method);
    expect(answer.status, answer.body.toString().slice(0, 1_000)).toBeLessThan(400);
    if (answer.headers.get('content-type') === 'application/x-ndjson')
      expect(answer.body.toString()).not.toContain('"problem"');
  }
});

describe(`spoilt requests, FUZZ_SEED=${SEED}`, () => {
  const weights = new Map<string, number>();
  beforeAll(() => {
    for (const [operationId, make] of Object.entries(GENERATORS)) {
      const [draft] = fc.sample(make(stage), { numRuns: 1, seed: SEED });
      weights.set(operationId, weightOf(operationId, draft as Draft));
    }
  });
  const runsOf = (operationId: string): number => {
    const all = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
    return Math.ceil((REQUESTS * (weights.get(operationId) ?? 1)) / all / LANES);
  };

  // Several at once share a gateway, so that each takes as long as its neighbours let it.
  test.concurrent.each(Object.keys(GENERATORS))('%s', { timeout: 240_000 }, async (operationId) => {
    const runs = runsOf(operationId);
    await Promise.all(Array.from({ length: LANES }, (_, lane) => fuzz(operationId, runs, SEED + lane)));
    // Of what was sent the log has nothing, at the most talkative level.
    expect(gateway.output.match(MARKERS) ?? []).toEqual([]);
  });

  test('and after all of them the gateway lives, and takes a filing', async () => {
    expect(sent).toBeGreaterThanOrEqual(REQUESTS);
    expect(gateway.hasEnded()).toBe(false);
    expect((await gateway.ask('GET', '/healthz')).status).toBe(200);
    filingOf(await submit(gateway, stage.filer, lodging()), 201);
    expect(gateway.output).not.toMatch(/"level":50/);
    const inFlight = async (): Promise<string | undefined> =>
      /^shenbao_http_in_flight (\d+)$/m.exec((await gateway.ask('GET', '/metrics')).text)?.[1];
    await expect.poll(inFlight, { timeout: 30_000 }).toBe('1');
  });
});
