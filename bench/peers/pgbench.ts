import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { DatabaseAddress } from '../../src/storage/db.ts';
import type { InsertOutcome } from './insert-program.ts';
import type { FilingRow } from './rows.ts';

const CLIENTS = 16;
const THREADS = 2;
/** Beyond what it was given to run. */
const PATIENCE_MS = 60_000;

export function hasPgbench(): boolean {
  return spawnSync('pgbench', ['--version']).status === 0;
}

/** The gateway's row again and again under other indexes and keys, one a transaction, prepared. */
export async function runPgbench(address: DatabaseAddress, row: FilingRow, seconds: number): Promise<InsertOutcome> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'shenbao-pgbench-'));
  try {
    const script = path.join(folder, 'insert.sql');
    await writeFile(script, scriptOf(row));
    const url = new URL(address.url);
    const options = ['-n', '-M', 'prepared', '-c', String(CLIENTS), '-j', String(THREADS), '-T', String(seconds)];
    const place = ['-h', address.socketDir ?? url.hostname, '-p', url.port, '-U', url.username];
    const { stdout } = await promisify(execFile)(
      'pgbench',
      [...options, ...place, '-f', script, url.pathname.slice(1)],
      {
        env: { ...process.env, PGPASSWORD: decodeURIComponent(url.password) },
        timeout: seconds * 1_000 + PATIENCE_MS,
      },
    );
    const rows = Number(/number of transactions actually processed: (\d+)/.exec(stdout)?.[1]);
    const failed = Number(/number of failed transactions: (\d+)/.exec(stdout)?.[1] ?? 0);
    const perSecond = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
    if (!(rows > 0) || failed > 0) throw new Error(`pgbench: ${stdout.slice(-400)}`);
    return { rows, seconds: rows / perSecond, exhausted: false };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function scriptOf(row: FilingRow): string {
  const columns = Object.keys(row);
  const values = columns.map((name) => {
    if (name === 'idx') return ':idx';
    if (name === 'key') return `decode(lpad(to_hex(:idx::bigint), 80, '0'), 'hex')`;
    return literal(row[name] ?? null);
  });
  // 2^53 - 1 is far from pgbench's bound of 2^63 - 1, and two of the same are not to be expected.
  return `\\set idx random(1000000000, 9007199254740991)\nINSERT INTO filing (${columns.join(',')}) VALUES (${values.join(',')});\n`;
}

function literal(value: string | number | boolean | Buffer | null): string {
  if (value === null) return 'NULL';
  if (Buffer.isBuffer(value)) return `'\\x${value.toString('hex')}'`;
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
}
