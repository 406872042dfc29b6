import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { StartError } from '../../std/start-error.ts';
import { type Account, giveTo, needsDatabaseUrl } from './account.ts';
import type { Binaries } from './binaries.ts';
import { readText } from './processes.ts';

/** In the cluster itself, so that a copy of the cluster can be opened. */
const PASSWORD_FILE = 'shenbao.password';

/** No dependence on the machine's locales: an index must not change its order when a system library is updated. */
const ENCODING = ['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
/** Whoever can open the socket is the owner; over TCP any local account could try. */
const AUTHENTICATION = ['--auth-local=trust', '--auth-host=scram-sha-256'];

/** Makes the cluster in `dataDir` unless it is there. It appears complete or not at all. */
export async function ensureCluster(dataDir: string, binaries: Binaries, account: Account | undefined): Promise<void> {
  const version = readText(path.join(dataDir, 'PG_VERSION'))?.trim();
  if (version === undefined) {
    await makeCluster(dataDir, binaries, account);
  } else if (version !== binaries.major) {
    throw needsDatabaseUrl(
      `${dataDir} 中的数据由 PostgreSQL ${version} 建立，而现在的程序是 ${binaries.major}，不能直接打开`,
      `the data in ${dataDir} were made by PostgreSQL ${version}, and the programs are of version ${binaries.major}`,
    );
  }
}

async function makeCluster(dataDir: string, binaries: Binaries, account: Account | undefined): Promise<void> {
  if (existsSync(dataDir)) {
    if (readdirSync(dataDir).length > 0) {
      throw new StartError({
        zh: `${dataDir} 不是空文件夹，也不是数据库。请移走其中的文件，或设置 DATA_DIR。`,
        en: `${dataDir} is neither empty nor a database. Move its files away, or set DATA_DIR.`,
      });
    }
    rmdirSync(dataDir);
  }
  const unfinished = `${dataDir}.init-${randomBytes(4).toString('hex')}`;
  const password = randomBytes(18).toString('base64url');
  const passwordFile = path.join(unfinished, PASSWORD_FILE);
  removeUnfinished(dataDir);
  try {
    // initdb wants an empty folder, so the password waits beside it.
    const waiting = `${unfinished}.password`;
    writeFileSync(waiting, password, { mode: 0o600 });
    giveTo(waiting, account);
    mkdirSync(unfinished, { mode: 0o700 });
    giveTo(unfinished, account);
    const args = [
      '-D',
      unfinished,
      '-U',
      'postgres',
      `--pwfile=${waiting}`,
      ...AUTHENTICATION,
      ...ENCODING,
      '--no-instructions',
    ];
    await runInitdb(path.join(binaries.bin, 'initdb'), args, account);
    renameSync(waiting, passwordFile);
    chmodSync(unfinished, 0o700);
    renameSync(unfinished, dataDir);
  } finally {
    removeUnfinished(dataDir);
  }
}

/** Also what a starter that was killed left behind. Only the holder of the lock comes here. */
function removeUnfinished(dataDir: string): void {
  const parent = path.dirname(dataDir);
  for (const name of readdirSync(parent)) {
    if (name.startsWith(`${path.basename(dataDir)}.init-`))
      // The killed initdb's children may still be writing there.
      rmSync(path.join(parent, name), { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

export function readPassword(dataDir: string): string {
  const password = readText(path.join(dataDir, PASSWORD_FILE));
  if (password === undefined) {
    throw new StartError({
      zh: `无法读取 ${path.join(dataDir, PASSWORD_FILE)}。请用建立该数据库的用户启动，或从备份中恢复这个文件。`,
      en: `${path.join(dataDir, PASSWORD_FILE)} cannot be read. Start as the user who made the database, or restore this file from a backup.`,
    });
  }
  return password;
}

/**
 * How the server's programs are started. Nothing of our own environment goes to them on Unix; a working folder that
 * the account cannot enter would be refused.
 */
export function spawnOptions(account: Account | undefined): {
  uid?: number;
  gid?: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
} {
  if (process.platform === 'win32') return {};
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return account === undefined ? { env } : { env, uid: account.uid, gid: account.gid, cwd: '/' };
}

function runInitdb(program: string, args: readonly string[], account: Account | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...spawnOptions(account), stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-4000);
    });
    child.on('error', (error) => reject(programFault(error)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(initdbFault(output, code ?? signal));
    });
  });
}

function initdbFault(output: string, ending: number | string | null): StartError {
  if (output.includes('could not look up effective user ID')) {
    return needsDatabaseUrl(
      '当前用户编号在 /etc/passwd 中没有对应的行（例如 docker --user 12345），initdb 无法运行',
      'the current user number has no line in /etc/passwd (for example docker --user 12345), so initdb does not run',
    );
  }
  const text = output.trim();
  return needsDatabaseUrl(`initdb 失败（${ending}）：${text}`, `initdb failed (${ending}): ${text}`);
}

/** Why a program could not be started at all. */
export function programFault(error: Error): StartError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EPERM') {
    return needsDatabaseUrl(
      '以 root 身份运行，但没有切换用户的权限（缺少 CAP_SETUID、CAP_SETGID 或 CAP_CHOWN）',
      'running as root without the right to change user (CAP_SETUID, CAP_SETGID or CAP_CHOWN is missing)',
      error,
    );
  }
  if (code === 'ENOENT') {
    return needsDatabaseUrl(
      'PostgreSQL 程序无法在本系统上运行（需要 glibc 2.27 或更高版本；Alpine 等 musl 系统不行）',
      'the PostgreSQL programs do not run on this system (they need glibc 2.27 or later; Alpine and other musl systems do not have it)',
      error,
    );
  }
  if (code === 'EACCES') {
    return needsDatabaseUrl(
      'PostgreSQL 程序没有执行权限（文件系统可能以 noexec 挂载）',
      'the PostgreSQL programs may not be executed (is the file system mounted noexec?)',
      error,
    );
  }
  return needsDatabaseUrl(
    `PostgreSQL 程序无法启动（${code}）`,
    `the PostgreSQL programs cannot be started (${code})`,
    error,
  );
}
