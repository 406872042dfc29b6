import { mapConcurrent } from '../../src/cli/concurrent.ts';
import { type BulkResult, type Filing, ShenbaoClient, ShenbaoError } from '../../src/client/client.ts';
import { payloadBytes } from '../../src/client/filing.ts';
import { nodeHash } from '../check.ts';
import { isSentTwice, type Job } from './plan.ts';
import type { DemoWorld } from './world.ts';

export interface Accepted {
  readonly job: Job;
  readonly filing: Filing;
  readonly bytes: Uint8Array;
}

/** What came of one submission. */
export interface Outcome {
  readonly job: Job;
  /** `accepted`, `replayed`, or the code of the problem. */
  readonly result: string;
  /** Ids of the rules, and codes of the other findings. */
  readonly findings: readonly string[];
  readonly accepted?: Accepted;
  /** With a replay: the filing as it was answered again. */
  readonly replayed?: Filing;
}

/** Requests under way at once for filings that are sent one by one. */
const SINGLES_AT_ONCE = 48;
const LINES_A_REQUEST = 500;

/** Sends the jobs of one round, each by its channel, and tells what came of each. */
export async function submitRound(
  gateway: string,
  world: DemoWorld,
  jobs: readonly Job[],
  onOutcome: (outcome: Outcome) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const took = (outcome: Outcome): void => {
    outcomes.push(outcome);
    onOutcome(outcome);
  };
  const by = (channel: Job['channel']): Job[] => jobs.filter((job) => job.channel === channel);
  const client = new ShenbaoClient({ gateway, issuer: world.issuer, hash: nodeHash });
  for await (const pair of mapConcurrent(streamOf(by('single')), SINGLES_AT_ONCE, (job) => submitSingle(client, job))) {
    for (const outcome of pair) took(outcome);
  }
  const formA = by('form-a');
  const signed = formA.map((job) => job.jws ?? '');
  for await (const result of client.submitBulk(signed, { linesARequest: LINES_A_REQUEST })) {
    took(bulkOutcome(formA[result.line - 1] as Job, result));
  }
  const formB = by('form-b');
  const key = { ...world.agent.key, sub: world.agent.uscc };
  const agent = new ShenbaoClient({ gateway, issuer: world.issuer, hash: nodeHash, key });
  const payloads = formB.map(({ payload }) => payload);
  for await (const result of agent.submitBulk(payloads, { form: 'manifest', linesARequest: LINES_A_REQUEST })) {
    took(bulkOutcome(formB[result.line - 1] as Job, result));
  }
  return outcomes;
}

async function* streamOf(jobs: readonly Job[]): AsyncGenerator<Job> {
  yield* jobs;
}

async function submitSingle(client: ShenbaoClient, job: Job): Promise<Outcome[]> {
  if (!isSentTwice(job)) return [await submitOnce(client, job)];
  const pair = await Promise.all([submitOnce(client, job), submitOnce(client, job)]);
  // Which of the two was first is the gateway's business.
  const [first, second] = pair[0].result === 'replayed' ? [pair[1], pair[0]] : pair;
  return [first, { ...second, job: { ...job, reason: 'twice', expected: 'replayed' } }];
}

async function submitOnce(client: ShenbaoClient, job: Job): Promise<Outcome> {
  try {
    const { filing, replayed } = await client.submit(job.jws ?? '');
    return filed(job, filing, replayed);
  } catch (error) {
    if (!(error instanceof ShenbaoError) || error.problem === undefined) throw error;
    return { job, result: error.code, findings: error.errors.map(({ rule, code }) => rule ?? code) };
  }
}

function bulkOutcome(job: Job, result: BulkResult): Outcome {
  if ('filing' in result) return filed(job, result.filing, result.status === 200);
  const { code, errors = [] } = result.problem;
  return { job, result: code, findings: errors.map((error) => error.rule ?? error.code) };
}

function filed(job: Job, filing: Filing, replayed: boolean): Outcome {
  const findings = filing.warnings.map(({ rule, code }) => rule ?? code);
  if (replayed) return { job, result: 'replayed', findings, replayed: filing };
  return { job, result: 'accepted', findings, accepted: { job, filing, bytes: payloadBytes(job.payload) } };
}
