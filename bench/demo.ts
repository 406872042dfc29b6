import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Progress } from '../src/cli/progress.ts';
import { painter } from '../src/cli/text.ts';
import { type Jwk, ShenbaoClient, ShenbaoError } from '../src/client/client.ts';
import { shanghaiDate, systemClock } from '../src/std/clock.ts';
import { awaitComparisons } from './demo/compared.ts';
import { firstRound, fourthRound, type Job, secondRound, thirdRound } from './demo/plan.ts';
import { differingReplays, pullAs, verifyReceipts } from './demo/proof.ts';
import { creditRound, type DemoType, readTypes, sampleRound } from './demo/samples.ts';
import { type Outcome, submitRound } from './demo/submit.ts';
import { type DemoResult, isAllWell, summaryLines } from './demo/summary.ts';
import { type DemoWorld, makeWorld, worldLines } from './demo/world.ts';

const USAGE = `npm run demo -- [options]

造一批企业，替它们报一个月的税、社保、召回和住宿登记（夹带常见差错、重发、更正、作废），每个申报种类的样例再各报三份，
然后以各机关身份取件并验证。
Makes enterprises, files a month for them with the usual mistakes, retries, corrections and voidings, and three of every
type that there is; pulls as each office, and verifies every root and receipt. Can be run again and again against the
same gateway.

  --gateway URL          http://127.0.0.1:8787
  --operator-key FILE    .data/operator.jwk
  --enterprises N        1000
`;

interface Arguments {
  readonly gateway: string;
  readonly operatorKey: string;
  readonly enterprises: number;
}

/** Until the first answer: someone may have started the gateway a moment ago. */
const PATIENCE_MS = 10_000;

type Step = (zh: string, en: string, share?: number) => void;

function readArguments(): Arguments | undefined {
  try {
    const { values } = parseArgs({
      options: {
        gateway: { type: 'string', default: 'http://127.0.0.1:8787' },
        'operator-key': { type: 'string', default: '.data/operator.jwk' },
        enterprises: { type: 'string', default: '1000' },
        help: { type: 'boolean', default: false },
      },
    });
    const enterprises = Number(values.enterprises);
    const isUsable = !values.help && Number.isInteger(enterprises) && enterprises >= 1 && enterprises <= 100_000;
    return isUsable ? { gateway: values.gateway, operatorKey: values['operator-key'], enterprises } : undefined;
  } catch {
    return undefined;
  }
}

async function runDemo({ gateway, operatorKey, enterprises }: Arguments, step: Step): Promise<DemoResult> {
  const startMs = performance.now();
  const key = JSON.parse(await readFile(operatorKey, 'utf8')) as Jwk;
  const operator = new ShenbaoClient({ gateway, key, retry: { deadlineMs: PATIENCE_MS } });
  step('造企业和密钥', 'making enterprises and keys');
  // The seed is a secret: the keys of everyone in the demo come from it, and the gateway will honour them.
  const seed = randomBytes(16).toString('hex');
  const run = randomBytes(4).toString('hex');
  const today = shanghaiDate(systemClock.now());
  const world = makeWorld({ seed, run, issuer: await operator.issuer(), today, enterprises });
  await importWorld(operator, world, step);
  step('读取申报种类', 'reading the filing types');
  const types = await readTypes(gateway, today);
  const outcomes = await submitRounds(gateway, world, types, step);
  const accepted = outcomes.flatMap((outcome) => outcome.accepted ?? []);
  const pending = new Map(accepted.map((one) => [one.filing.id, one]));
  const offices: DemoResult['offices'][number][] = [];
  for (const [i, office] of world.offices.entries()) {
    step(`以${office.name.zh}身份取件`, `pulling as ${office.name.en}`, i / world.offices.length);
    offices.push(await pullAs(gateway, world, office, pending));
  }
  const receipts = await verifyReceipts(accepted, await operator.jwks(true), world.issuer, (done) =>
    step(`离线验证回执 ${done}`, `verifying receipts offline`, done / accepted.length),
  );
  const comparisons = await awaitComparisons(gateway, world, accepted, (done, of) =>
    step(`等待比对 ${done}`, 'waiting for comparisons', done / of),
  );
  return {
    world,
    types: types.map(({ metadata }) => metadata),
    outcomes,
    offices,
    receipts,
    differing: differingReplays(outcomes, accepted),
    missing: [...pending.keys()],
    comparisons,
    seconds: (performance.now() - startMs) / 1000,
  };
}

async function importWorld(operator: ShenbaoClient, world: DemoWorld, step: Step): Promise<void> {
  const lines = [...worldLines(world)];
  let done = 0;
  for await (const { line, problem } of operator.importLines(lines)) {
    if (problem !== undefined) throw new ShenbaoError(problem.code, `import, line ${line}: ${problem.detail ?? ''}`);
    step('登记企业、公钥、委托', 'registering enterprises, keys, mandates', ++done / lines.length);
  }
}

async function submitRounds(
  gateway: string,
  world: DemoWorld,
  types: readonly DemoType[],
  step: Step,
): Promise<Outcome[]> {
  const all: Outcome[] = [];
  const submit = async (zh: string, en: string, jobs: readonly Job[]): Promise<Outcome[]> => {
    let done = 0;
    const outcomes = await submitRound(gateway, world, jobs, () => step(zh, en, ++done / jobs.length));
    all.push(...outcomes);
    return outcomes;
  };
  // First, because what is filed first is compared first, and the end waits for it.
  const samples = await sampleRound(gateway, world, types);
  await submit('上月的留抵税额', 'last month’s credits', creditRound(samples));
  await submit('每个种类各报三份', 'three of every type', samples);
  step('填写申报表并签名', 'filling in forms and signing');
  const first = await submit('申报', 'filing', firstRound(world));
  const second = await submit('改正、重发', 'putting right, sending again', secondRound(world, first));
  const standing = [...first, ...second].flatMap((outcome) => outcome.accepted ?? []);
  const third = await submit('更正、作废', 'correcting, voiding', thirdRound(standing));
  const later = third.flatMap((outcome) => outcome.accepted ?? []);
  await submit('作废后重报', 'filing anew', fourthRound(world, later));
  return all;
}

function explain(error: unknown, { gateway, operatorKey }: Arguments): string {
  if (error instanceof ShenbaoError && error.code === 'unreachable')
    return `${gateway} 没有应答；先运行 npm start。\n${gateway} does not answer: run npm start first.`;
  if ((error as NodeJS.ErrnoException).code === 'ENOENT')
    return `找不到 ${operatorKey}；用 --operator-key 指明。\n${operatorKey} is not there: name it with --operator-key.`;
  return error instanceof ShenbaoError ? `${error.message} (${error.code})` : String((error as Error).stack);
}

async function main(): Promise<number> {
  const given = readArguments();
  if (given === undefined) {
    process.stdout.write(USAGE);
    return process.argv.includes('--help') ? 0 : 2;
  }
  const progress = new Progress(process.stderr.isTTY ? process.stderr : undefined, () => performance.now());
  try {
    const result = await runDemo(given, (zh, en, share) => progress.draw(share, `${zh}  ${en}`));
    progress.clear();
    for (const line of summaryLines(result, painter(process.stdout.isTTY === true))) console.log(line);
    return isAllWell(result) ? 0 : 1;
  } catch (error) {
    progress.clear();
    console.error(explain(error, given));
    return 1;
  }
}

process.exitCode = await main();
