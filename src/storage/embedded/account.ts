import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { StartError } from '../../std/start-error.ts';

/** The account that the server runs under when it cannot run under ours, because PostgreSQL refuses root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

interface PasswdRow extends Account {
  readonly name: string;
}

/**
 * Undefined: run as we are. As root: `postgres`, else `nobody`, else any other account of /etc/passwd, because initdb
 * looks its user up by number and fails on one that has no line there.
 */
export function serverAccount(passwd = '/etc/passwd'): Account | undefined {
  if (process.getuid === undefined || process.getuid() !== 0) return undefined;
  const rows = readFileSync(passwd, 'utf8')
    .split('\n')
    .map(passwdRow)
    .filter((row) => row.uid > 0);
  const row = rows.find(({ name }) => name === 'postgres') ?? rows.find(({ name }) => name === 'nobody') ?? rows[0];
  if (row === undefined) {
    throw needsDatabaseUrl(
      'PostgreSQL 不能以 root 身份运行，而 /etc/passwd 中没有其他用户',
      'PostgreSQL does not run as root, and /etc/passwd has no other user',
    );
  }
  return { uid: row.uid, gid: row.gid };
}

function passwdRow(line: string): PasswdRow {
  const [name = '', , uid, gid] = line.split(':');
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** Whether `account` may walk down every folder of `target` that exists, by the folders' mode bits. */
export function isReachable(target: string, account: Account | undefined): boolean {
  if (account === undefined) return true;
  for (let folder = path.resolve(target); ; folder = path.dirname(folder)) {
    const stat = statSync(folder, { throwIfNoEntry: false });
    if (stat !== undefined) {
      const bit = stat.uid === account.uid ? 0o100 : stat.gid === account.gid ? 0o010 : 0o001;
      if ((stat.mode & bit) === 0) return false;
    }
    if (folder === path.dirname(folder)) return true;
  }
}

/** Makes a folder and what leads to it. As root, what is made here can be walked through whatever the umask is. */
export function makeFolder(folder: string, account: Account | undefined): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined || account === undefined) return;
  for (let made = folder; made.startsWith(first); made = path.dirname(made)) chmodSync(made, 0o711);
}

export function giveTo(target: string, account: Account | undefined): void {
  if (account !== undefined) chownSync(target, account.uid, account.gid);
}

/**
 * The folder for what cannot be in the checkout: /var/lib/shenbao as root, ~/.cache/shenbao otherwise, and a folder of
 * our own under the temporary one where there is no home or it cannot be written.
 */
export function stateFolder(account: Account | undefined): string {
  if (account !== undefined) return ownFolder('/var/lib/shenbao', 0o711);
  const home = homeFolder();
  if (home !== undefined) {
    try {
      return ownFolder(path.join(home, '.cache', 'shenbao'), 0o700);
    } catch (error) {
      if (error instanceof StartError) throw error;
    }
  }
  return ownFolder(path.join(os.tmpdir(), `shenbao-${process.getuid?.() ?? os.userInfo().username}`), 0o700);
}

/** `os.homedir` throws for a number without a line in /etc/passwd. */
function homeFolder(): string | undefined {
  try {
    return statSync(os.homedir()).isDirectory() ? os.homedir() : undefined;
  } catch {
    return undefined;
  }
}

/** Programs are started from here: a folder that somebody else prepared must not be used. */
function ownFolder(folder: string, mode: number): string {
  mkdirSync(folder, { recursive: true, mode });
  const stat = lstatSync(folder);
  const isOurs = process.getuid === undefined || (stat.uid === process.getuid() && (stat.mode & 0o022) === 0);
  if (!stat.isDirectory() || !isOurs) {
    throw needsDatabaseUrl(
      `${folder} 属于其他用户或可被他人写入，不能在其中存放程序`,
      `${folder} belongs to somebody else or can be written by others, so programs must not be kept in it`,
    );
  }
  chmodSync(folder, mode);
  return folder;
}

/** For everything that the embedded database cannot do here; `DATABASE_URL` is the way out. */
export function needsDatabaseUrl(zh: string, en: string, cause?: unknown): StartError {
  return new StartError(
    {
      zh: `内置数据库无法启动：${zh}。请设置 DATABASE_URL，改用您自己的 PostgreSQL（15 或更高版本）。`,
      en: `The embedded database cannot start: ${en}. Set DATABASE_URL to use a PostgreSQL (15 or later) of your own.`,
    },
    { cause },
  );
}
