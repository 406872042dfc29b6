import { StartError } from '../std/start-error.ts';
import { connect, type DatabaseAddress } from './db.ts';

/** postgres.js reconnects past its own limit when a server closes at once (issue 1214), so the limit is here. */
const PATIENCE_MS = 8_000;

/** One statement, or a StartError that says why the database of DATABASE_URL cannot be used. */
export async function reachDatabase(address: DatabaseAddress): Promise<void> {
  const sql = connect(address, { max: 1, statementTimeoutMs: 5_000 });
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })), PATIENCE_MS);
  });
  try {
    await Promise.race([sql`SELECT 1`, limit]);
  } catch (error) {
    throw unreachable(address, error);
  } finally {
    clearTimeout(timer);
    sql.end({ timeout: 1 }).catch(() => undefined);
  }
}

/** Host and database only: the rest of the URL is a secret. */
function unreachable(address: DatabaseAddress, error: unknown): StartError {
  const { host, pathname } = new URL(address.url);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return new StartError(
    {
      zh: `无法连接 DATABASE_URL 指定的数据库（${host}${pathname}，${code}）。请检查地址、用户和密码，并确认数据库已启动。`,
      en: `The database of DATABASE_URL cannot be reached (${host}${pathname}, ${code}). Check address, user and password, and that it is running.`,
    },
    { cause: error },
  );
}
