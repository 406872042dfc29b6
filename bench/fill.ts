import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { putOffice } from '../src/identity/put-office.ts';
import { putParty } from '../src/identity/put-party.ts';
import { openSigner } from '../src/identity/signer.ts';
import { HeadsFile, headsFileIn } from '../src/log/heads-file.ts';
import { nationalRound } from '../src/log/national.ts';
import { systemClock } from '../src/std/clock.ts';
import { type Database, openDatabase, type Sql } from '../src/storage/db.ts';
import { type GatewayDatabase, openGatewayDatabase } from '../src/storage/open.ts';
import type { OnProgress } from './command.ts';
import { MONTHS_MAX, officeOf } from './corpus.ts';
import { assertEnough, type FillPlan } from './fill-share.ts';
import type { FillTask } from './fill-worker.ts';

/** Raise it when a plan fills differently than before. */
const FILL_FORMAT = 1;

export interface Filled {
  /** Undefined when the folder held all of it already. */
  readonly seconds: number | undefined;
}

/** The files of a gateway's data folder that is to be filled, or is. */
export interface FillPlace {
  readonly dataDir: string;
  readonly processes?: number;
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * Makes the embedded database of a data folder hold the filings of a plan, as a gateway would have stored them: every
 * signature, leaf, tick, checkpoint and head is valid, and has to pass the audit. A folder that holds them is left as it is, and one
 * whose filling was broken off is filled on. No gateway may run on it.
 */
export async function fillFolder(plan: FillPlan, place: FillPlace, onProgress: OnProgress): Promise<Filled> {
  assertEnough(plan, MONTHS_MAX);
  const mark = path.join(place.dataDir, 'filled.json');
  const wanted = JSON.parse(JSON.stringify({ format: FILL_FORMAT, plan })) as object;
  const held = await readMark(mark);
  if (held !== undefined && !isDeepStrictEqual(held.is, wanted))
    throw new Error(`${place.dataDir} holds other filings than are wanted: use another folder`);
  if (held?.isWhole === true) return { seconds: undefined };
  const started = performance.now();
  const settings = { dataDir: place.dataDir, env: 'production', lanes: 64, workers: 1, databaseUrl: undefined };
  const database = await openGatewayDatabase(settings, silent);
  try {
    if (held === undefined) await assertEmpty(database);
    await writeFile(mark, JSON.stringify({ is: wanted, isWhole: false }));
    await fillDatabase(plan, place, database, onProgress);
    await writeFile(mark, JSON.stringify({ is: wanted, isWhole: true }));
  } finally {
    await database.stop();
  }
  return { seconds: (performance.now() - started) / 1000 };
}

async function readMark(file: string): Promise<{ readonly is: object; readonly isWhole: boolean } | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as { is: object; isWhole: boolean });
}

async function assertEmpty({ address }: GatewayDatabase): Promise<void> {
  const db = openDatabase(address, { connections: 1 });
  const [head] = await db.sql`SELECT 1 FROM office_head LIMIT 1`.finally(() => db.close());
  if (head !== undefined) throw new Error('the folder holds the database of something else');
}

async function fillDatabase(
  plan: FillPlan,
  place: FillPlace,
  { address, meta }: GatewayDatabase,
  onProgress: OnProgress,
): Promise<void> {
  const { dataDir } = place;
  const db = openDatabase(address, { connections: 2, statementTimeoutMs: 0 });
  try {
    const signer = await openSigner({ db, clock: systemClock, random: randomBytes, dataDir });
    await registerOffices(db, plan);
    const of = Math.min(place.processes ?? os.availableParallelism(), plan.corpus.offices);
    let stored = 0;
    const onStored = (filings: number): void => {
      stored += filings;
      onProgress(`filling the database: ${stored} filings`, stored / plan.filings);
    };
    const task = { address, lanes: meta.lanes, dataDir, plan };
    await allOf(Array.from({ length: of }, (_, number) => runWorker({ ...task, share: { number, of } }, onStored)));
    if (stored !== plan.filings) throw new Error(`${stored} filings were stored, not ${plan.filings}`);
    const guard = new HeadsFile(headsFileIn(dataDir));
    const issuer = { iss: plan.issuer, env: 'production' };
    await nationalRound({ db, lanes: meta.lanes, clock: systemClock, signer, guard, issuer });
    await guard.close();
    await settle(db, onProgress);
  } finally {
    await db.close();
  }
}

/** As after a quiet night: everything compared, vacuumed, analyzed and on the disk. */
async function settle({ sql }: Database, onProgress: OnProgress): Promise<void> {
  onProgress('vacuuming');
  await markCompared(sql);
  await sql.unsafe('VACUUM ANALYZE');
  await sql.unsafe('CHECKPOINT');
}

/** Leaves nothing to compare with other filings of its filer, which goes on for long after a filing was answered. */
export async function markCompared(sql: Sql): Promise<void> {
  await sql`
    INSERT INTO office_comparison (lane, office, size) SELECT lane, office, size FROM office_head
    ON CONFLICT (lane, office) DO UPDATE SET size = excluded.size`;
}

async function registerOffices(db: Database, { corpus, issuer }: FillPlan): Promise<void> {
  const identity = { db, clock: systemClock, issuer };
  for (let i = 0; i < corpus.offices; i++) {
    const [office, name] = [officeOf(i), { zh: `压测税务局 ${i}`, en: `Bench tax bureau ${i}` }];
    await putOffice(identity, { office, agency: 'tax', region: '350100', name });
    await putParty(identity, { id: office, kind: 'office', name: name.zh });
  }
}

interface Running {
  readonly ended: Promise<void>;
  stop(): void;
}

function runWorker(task: FillTask, onStored: (filings: number) => void): Running {
  const program = fileURLToPath(new URL('./fill-worker.ts', import.meta.url));
  const child = fork(program, [JSON.stringify(task)], { execArgv: ['--import', 'tsx'] });
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`filling ended with ${code}`))));
    child.on('message', (filings: number) => onStored(filings));
  });
  return { ended, stop: () => child.kill() };
}

/** One that fails ends the others. */
async function allOf(running: readonly Running[]): Promise<void> {
  try {
    await Promise.all(running.map(({ ended }) => ended));
  } finally {
    for (const { stop } of running) stop();
  }
}
