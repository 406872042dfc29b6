import { randomBytes, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { readHolidayFiles } from './calendar/holiday-files.ts';
import {
  followCatalogue,
  leadCatalogue,
  openCatalogue,
  RELOAD_SUBJECT,
  type ServingCatalogue,
} from './catalogue/serving.ts';
import type { ReloadOutcome } from './catalogue/source.ts';
import { createApp } from './http/app.ts';
import { authenticator } from './http/auth.ts';
import { describeFault, Failures } from './http/failures.ts';
import { gatewayRoutes } from './http/gateway-routes.ts';
import { Limits } from './http/limits.ts';
import { readOpenApi } from './http/openapi-build.ts';
import { tokenEndpoint } from './http/routes/well-known.ts';
import { type Listening, type ListenOptions, listen } from './http/server.ts';
import { announce } from './identity/announce.ts';
import { AssertionSweep } from './identity/client-assertion.ts';
import { ensureDemo } from './identity/demo.ts';
import { DatabaseDirectory } from './identity/directory.ts';
import { GatewayKeys } from './identity/gateway-keys.ts';
import { ensureOperator, operatorIn } from './identity/own-parties.ts';
import { openSigner, type Signer } from './identity/signer.ts';
import { Tokens } from './identity/tokens.ts';
import { FILING_BOUNDS } from './ingest/bounds.ts';
import { type CheckedFiling, type CommitContext, type CommitOutcome, commitTick } from './ingest/commit.ts';
import { startComparison } from './ingest/comparison.ts';
import { Deferrals } from './ingest/deferrals.ts';
import { originals } from './ingest/originals.ts';
import { Pool } from './ingest/pool.ts';
import { SignatureThread } from './ingest/signatures.ts';
import { startCheckpointTimer } from './log/checkpoint-timer.ts';
import { HeadsFile, headsFileIn, keepHeadsSmall } from './log/heads-file.ts';
import { startNationalTimer } from './log/national-timer.ts';
import { filingProof } from './log/proof.ts';
import { refuseOlderDatabase } from './log/rollback.ts';
import { clusterMetrics, isWorker, Workers, workerReady, workerTask } from './ops/cluster.ts';
import { type Config, readConfig } from './ops/config.ts';
import { Hangup } from './ops/hangup.ts';
import { writePidFile } from './ops/pid-file.ts';
import { type StopStep, stopOnSignals } from './ops/shutdown.ts';
import { createLogger, createTelemetry, type Telemetry } from './ops/telemetry.ts';
import { welcome } from './ops/welcome.ts';
import { DatabaseSettings } from './settings/settings.ts';
import { systemClock } from './std/clock.ts';
import { GatewayError } from './std/errors.ts';
import { StartError } from './std/start-error.ts';
import type { Logger } from './std/telemetry.ts';
import { type Database, type DatabaseAddress, openDatabase } from './storage/db.ts';
import { classifyFailure } from './storage/failures.ts';
import { openGatewayDatabase } from './storage/open.ts';
import { canCommit } from './storage/ready.ts';
import type { TrailEvent } from './trail/chain.ts';
import { type Act, appendToTrail, Recorder, recordAct, type TrailContext } from './trail/record.ts';

/** How long answers may take to leave once the gateway was told to stop; the whole stop has 10 s. */
const GRACE_MS = 6_000;

const TRAIL_BOUNDS = {
  maxItems: 4_096,
  maxBytes: 4 * 1024 * 1024,
  maxTickItems: 1_024,
  maxTickBytes: 1024 * 1024,
  maxWaitMs: 4_000,
};
const TICK_BOUNDS = { tickMs: 3_500, lookupMs: 1_000 };

/** What a gateway process is told about the database that it works on. */
interface DatabaseTask {
  readonly address: DatabaseAddress;
  readonly lanes: number;
}

/**
 * Runs the gateway until it is told to stop: config, database, keys, parts, app, listening. With WORKERS above one, this
 * process keeps the database and the keys, and others serve.
 */
export async function runGateway(): Promise<void> {
  const config = readConfig();
  const log = createLogger(config.logLevel);
  if (isWorker()) {
    const task = await workerTask<DatabaseTask>();
    const { steps } = await serve(config, log, task, await followCatalogue(log));
    // Ctrl-C reaches every process of the terminal, and so does its end; the primary decides.
    stopOnSignals({ steps, log, clock: systemClock, signals: ['SIGTERM'] });
    for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
    workerReady();
    return;
  }
  const hangup = new Hangup();
  const database = await openGatewayDatabase({ ...config, databaseUrl: config.databaseUrl }, log);
  const task = { address: database.address, lanes: database.meta.lanes };
  const stopDatabase = { name: 'database', run: () => database.stop() };
  try {
    await prepareKeys(config, log, task);
    const { steps, reload } =
      config.workers > 1
        ? await serveByWorkers(config, log, task)
        : await serve(config, log, task, await openCatalogue(log));
    const pidFile = { name: 'pid file', run: await writePidFile(config.dataDir) };
    const smallHeads = { name: 'compaction', run: keepHeadsSmall(headsFileIn(config.dataDir), log) };
    const stop = stopOnSignals({ steps: [pidFile, ...steps, smallHeads, stopDatabase], log, clock: systemClock });
    hangup.take({ reload: () => void reloadAtSignal(config, log, task, reload), stop });
    process.stdout.write(await welcome(config));
  } catch (error) {
    await database.stop();
    throw error;
  }
}

async function prepareKeys(config: Config, log: Logger, task: DatabaseTask): Promise<void> {
  const db = openDatabase(task.address, { connections: 2, statementTimeoutMs: 30_000 });
  const ctx = {
    db,
    lanes: task.lanes,
    clock: systemClock,
    random: randomBytes,
    dataDir: config.dataDir,
    issuer: config.issuer,
    log,
    record: ownActs(db, config),
  };
  try {
    // First: nothing is written to a database that is not the one of the signed heads.
    await refuseOlderDatabase(ctx, headsFileIn(config.dataDir));
    await openSigner(ctx);
    await ensureOperator(ctx);
    if (config.env === 'sandbox') await ensureDemo(ctx);
  } finally {
    await db.close();
  }
}

/** What serves, and the handles on it. */
interface Running {
  readonly steps: StopStep[];
  readonly reload: () => Promise<ReloadOutcome>;
}

async function serveByWorkers(config: Config, log: Logger, task: DatabaseTask): Promise<Running> {
  const catalogue = await leadCatalogue(log, (news) => workers.tell(news));
  const onAsk = catalogue.answer;
  const workers = new Workers({ count: config.workers, task, log, clock: systemClock, onAsk });
  await workers.start();
  return { steps: [{ name: 'workers', run: () => workers.stop() }], reload: () => catalogue.reload() };
}

/** One serving process: its parts, in the order in which they need each other. */
async function serve(config: Config, log: Logger, task: DatabaseTask, catalogue: ServingCatalogue): Promise<Running> {
  const telemetry = createTelemetry();
  catalogue.measure(telemetry.metrics);
  const db = openDatabase(task.address);
  const { dataDir } = config;
  const signer = await openSigner({
    db,
    clock: systemClock,
    random: randomBytes,
    dataDir,
    record: ownActs(db, config),
  });
  const settings = new DatabaseSettings({ sql: db.sql, log });
  catalogue.onTexts((texts) => settings.ship(readHolidayFiles(texts).years));
  const directory = new DatabaseDirectory({
    db,
    clock: systemClock,
    log,
    onSubjects: (subjects) => {
      catalogue.heard(subjects);
      settings.heard(subjects);
    },
  });
  await directory.start();
  await settings.start();
  const stopping = new AbortController();
  const parts = makeParts({
    config,
    log,
    task,
    catalogue,
    telemetry,
    db,
    signer,
    directory,
    settings,
    stopping: stopping.signal,
    openApi: readOpenApi(),
  });
  const listening = await listenOrExplain({
    app: parts.app,
    host: config.host,
    port: config.port,
    log,
    metrics: telemetry.metrics,
    random: randomBytes,
    limits: { connections: config.maxConnections },
    door: parts.door,
  });
  const timers = [startCheckpointTimer, startNationalTimer].map((start) => start({ ...parts.logContext, log }));
  const steps = [
    {
      name: 'listening',
      run: () => {
        stopping.abort();
        return listening.close(GRACE_MS);
      },
    },
    { name: 'ticks', run: () => parts.pool.drained() },
    { name: 'signatures', run: () => parts.signatures.close() },
    { name: 'trail', run: () => parts.trail.drained() },
    { name: 'comparison', run: () => parts.comparison.stop() },
    { name: 'checkpoints', run: () => Promise.all(timers.map((timer) => timer.stop())).then(() => {}) },
    { name: 'signed heads', run: () => parts.logContext.guard.close() },
    { name: 'directory', run: () => directory.stop() },
    { name: 'settings', run: () => settings.stop() },
    { name: 'connections', run: () => db.close() },
  ];
  return { steps, reload: () => catalogue.reload() };
}

/** A port that is taken is the commonest reason not to start, and no fault. */
async function listenOrExplain(options: ListenOptions): Promise<Listening> {
  try {
    return await listen(options);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw cause;
    const where = `${options.host}:${options.port}`;
    throw new StartError(
      {
        zh: `无法在 ${where} 上监听（${code}）：端口可能已被占用。请用环境变量 PORT、HOST 换一个。`,
        en: `Cannot listen on ${where} (${code}): the port may be in use. Choose another with the environment variables PORT and HOST.`,
      },
      { exitCode: 2, cause },
    );
  }
}

interface PartsInput {
  readonly config: Config;
  readonly log: Logger;
  readonly task: DatabaseTask;
  readonly catalogue: ServingCatalogue;
  readonly telemetry: Telemetry;
  readonly db: Database;
  readonly signer: Signer;
  readonly directory: DatabaseDirectory;
  readonly settings: DatabaseSettings;
  readonly stopping: AbortSignal;
  /** The document as it was generated by the build. */
  readonly openApi: string;
}

function makePool(
  config: Config,
  ctx: CommitContext,
  onCommit: (filings: readonly CheckedFiling[]) => void,
): Pool<CheckedFiling, CommitOutcome> {
  return new Pool({
    flush: async (filings: readonly CheckedFiling[]) => {
      const outcomes = await commitTick(ctx, filings);
      onCommit(filings);
      return outcomes;
    },
    clock: ctx.clock,
    maxItems: config.pool.maxFilings,
    maxBytes: config.pool.maxBytes,
    ...FILING_BOUNDS,
  });
}

function makeTrail(ctx: TrailContext, { metrics }: Telemetry) {
  const trail = new Pool({
    flush: async (events: readonly TrailEvent[]) => {
      const { n } = await appendToTrail(ctx, events);
      return events.map(() => n);
    },
    clock: ctx.clock,
    ...TRAIL_BOUNDS,
  });
  metrics.gauge('trail_rows', () => trail.size);
  return { trail, recorder: new Recorder(trail) };
}

/** What a process does of its own accord, or at a signal, is entered in the audit trail as the operator's. */
function ownActs(db: Database, { dataDir }: Config) {
  return <T>(act: Act, work: () => Promise<T>): Promise<T> => {
    const operator = { sql: db.sql, clock: systemClock, operator: operatorIn(dataDir), request: randomUUID() };
    return recordAct(operator, act, work);
  };
}

/** A hang-up is as much an operator's doing as the request is: without its row nothing is read. */
async function reloadAtSignal(config: Config, log: Logger, task: DatabaseTask, reload: Running['reload']) {
  const db = openDatabase(task.address, { connections: 1 });
  const act = { action: 'reloadFilingTypes', target: '-', details: { signal: 'SIGHUP' } };
  try {
    await ownActs(db, config)(act, async () => {
      const { outcome } = await reload();
      if (outcome === 'refused') throw new GatewayError('invalid-resource');
      if (outcome === 'failed') throw new GatewayError('unavailable');
    });
  } catch (error) {
    log.warn({ ...describeFault(error) }, 'the filing types were not reloaded');
  } finally {
    await db.close();
  }
}

function makeParts(input: PartsInput) {
  const { config, log, task, db, signer, directory, settings, telemetry } = input;
  const { metrics } = telemetry;
  const clock = systemClock;
  const { lanes } = task;
  const issuer = { iss: config.issuer, env: config.env };
  const gatewayKeys = new GatewayKeys(db, clock);
  const tokens = new Tokens({ signer, gatewayKeys, directory, clock, random: randomBytes, issuer: config.issuer });
  const limits = new Limits(clock, config.rates);
  const failures = new Failures({ classify: classifyFailure, log, clock });
  const commitContext = { db, lanes, clock, signer, issuer, log, ...TICK_BOUNDS };
  const pool = makePool(config, commitContext, (filings) => comparison.wake(filings));
  metrics.gauge('pool_filings', () => pool.size);
  const standing = originals({ db, lanes, env: config.env, clock });
  const signatures = new SignatureThread();
  const deferrals = new Deferrals(clock);
  const catalogue = () => input.catalogue.current;
  const inside = () => pool.size;
  const comparison = startComparison({ db, lanes, directory, catalogue, settings, clock, log, metrics, inside });
  const guard = new HeadsFile(headsFileIn(config.dataDir));
  const logContext = { db, lanes, clock, signer, issuer, guard, nationalRoundMs: config.nationalSeconds * 1_000 };
  const identity = {
    db,
    clock,
    issuer: config.issuer,
    changed: (subjects: readonly string[]) => directory.forget(subjects),
  };
  const shared = { directory, catalogue, settings, db, lanes, env: config.env };
  const routes = gatewayRoutes({
    filings: {
      ingest: { ...shared, issuer: config.issuer, pool, originals: standing, limits, deferrals, signatures, metrics },
      reading: { db, catalogue, lanes, directory, clock, env: config.env, signer },
      toGatewayError: (error) => failures.explain(error),
      proof: (office, index, checkpoint) => filingProof(logContext, office, index, checkpoint),
    },
    filers: { ...shared, clock },
    filingTypes: { catalogue },
    catalogue: {
      reload: () => input.catalogue.reload(),
      announce: () => announce(identity, [RELOAD_SUBJECT]),
    },
    offices: { ...logContext, catalogue, directory, log, stopping: input.stopping },
    identity,
    settings: { ...identity, settings, catalogue },
    trail: { sql: db.sql },
    oauth: { ...identity, directory, tokens, tokenEndpoint: tokenEndpoint(config.issuer), sweep: new AssertionSweep() },
    wellKnown: { gatewayKeys, issuer: config.issuer },
    system: {
      env: config.env,
      issuer: config.issuer,
      catalogue,
      limits,
      canCommit: () => canCommit(db.sql),
      exposition: isWorker() ? clusterMetrics : telemetry.exposition,
      expositionType: telemetry.contentType,
      openApi: () => input.openApi,
    },
  });
  const authenticate = authenticator(tokens);
  const { trail, recorder } = makeTrail({ sql: db.sql, clock }, telemetry);
  const app = createApp({ routes, authenticate, limits, recorder, clock, log, metrics, random: randomBytes, failures });
  const room = {
    room: () => pool.room,
    share: (waiting: number) => pool.shareOf(waiting),
    hasEnough: () => pool.hasEnough,
  };
  const door = { path: '/v1/filings', operationId: 'submitFiling', ...room, deferrals, limits, clock };
  return { app, door, pool, signatures, trail, comparison, logContext };
}

/** Tells the person who starts the gateway why it did not; other failures are faults and show where. */
export async function startOrExplain(): Promise<void> {
  try {
    await runGateway();
  } catch (error) {
    const isExplained = error instanceof StartError;
    process.stderr.write(
      isExplained
        ? `\n${error.text.zh}\n${error.text.en}\n\n`
        : `${error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exit(isExplained ? error.exitCode : 1);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) void startOrExplain();
