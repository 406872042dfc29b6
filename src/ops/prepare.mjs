// Runs before `npm start` and `npm test` in a checkout: installs what is missing and builds what is out of date.
// Plain JavaScript on Node's own modules, because nothing else may be there yet. When all is in step it only reads.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const inRoot = (...parts) => path.join(root, ...parts);
const LOCK_PATIENCE_MS = 600_000;
const forced = process.argv.includes('--build');

/** Reads a JSON file; undefined when it is missing or broken. */
function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * npm's own record of what is installed against the lock file. An optional package may be missing (another platform);
 * one for development only matters to the tests.
 */
function isInstalled() {
  const wanted = readJson(inRoot('package-lock.json'))?.packages;
  const present = readJson(inRoot('node_modules', '.package-lock.json'))?.packages;
  if (wanted === undefined) throw new Error('package-lock.json is missing or broken');
  if (present === undefined) return false;
  const needsDev = process.env.npm_lifecycle_event !== 'prestart';
  return Object.entries(wanted).every(([name, { version, optional, dev, devOptional }]) => {
    if (name === '') return true;
    const found = present[name];
    if (found === undefined) return optional === true || ((dev === true || devOptional === true) && !needsDev);
    return found.version === version && fs.existsSync(inRoot(name));
  });
}

function install() {
  console.log('安装依赖 / installing dependencies (npm ci) ...');
  const npm = process.env.npm_execpath;
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const [command, all] = npm === undefined ? ['npm', args] : [process.execPath, [npm, ...args]];
  run(command, all, 'npm ci', process.platform === 'win32' && npm === undefined);
}

/** Digest of everything that the build depends on. */
function sourceDigest() {
  const hash = createHash('sha256');
  const files = ['tsconfig.json', 'package.json', 'package-lock.json'];
  for (const entry of fs.readdirSync(inRoot('src'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) files.push(path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)));
  }
  for (const file of files.sort())
    hash
      .update(`${file}\0`)
      .update(fs.readFileSync(inRoot(file)))
      .update('\0');
  return hash.digest('hex');
}

const stampFile = inRoot('dist', '.sources');
const isBuilt = (digest) => {
  try {
    return fs.readFileSync(stampFile, 'utf8') === digest;
  } catch {
    return false;
  }
};

/** Into a folder of its own first, so that a failed build leaves the last good one, and no deleted module lives on. */
function build() {
  console.log('编译 / building (tsc) ...');
  const fresh = inRoot('.cache', `build-${process.pid}`);
  fs.rmSync(fresh, { recursive: true, force: true });
  try {
    run(
      process.execPath,
      [inRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', inRoot('src'), '--outDir', fresh],
      'tsc',
    );
    fs.rmSync(inRoot('dist'), { recursive: true, force: true });
    fs.renameSync(fresh, inRoot('dist'));
  } finally {
    fs.rmSync(fresh, { recursive: true, force: true });
  }
  const openapi = inRoot('dist', 'http', 'openapi-build.js');
  if (fs.existsSync(openapi)) run(process.execPath, [openapi], 'openapi-build');
  const schemas = inRoot('dist', 'cli', 'schemas-check.js');
  // Faults in a filing type are no fault of the build: they are printed here, and the start refuses them.
  if (fs.existsSync(schemas)) spawnSync(process.execPath, [schemas, '--stamp'], { cwd: root, stdio: 'inherit' });
}

/** `npx shenbao` in the checkout: npm links the programs of dependencies, not those of the project itself. */
function linkProgram() {
  const program = inRoot('dist', 'cli', 'main.js');
  if (!fs.existsSync(program)) return;
  fs.chmodSync(program, 0o755);
  const bin = inRoot('node_modules', '.bin');
  fs.mkdirSync(bin, { recursive: true });
  if (process.platform === 'win32') {
    fs.writeFileSync(path.join(bin, 'shenbao.cmd'), '@node "%~dp0\\..\\..\\dist\\cli\\main.js" %*\r\n');
    return;
  }
  const link = path.join(bin, 'shenbao');
  fs.rmSync(link, { force: true });
  fs.symlinkSync(path.join('..', '..', 'dist', 'cli', 'main.js'), link);
}

const isLinked = () =>
  !fs.existsSync(inRoot('dist', 'cli', 'main.js')) ||
  fs.existsSync(inRoot('node_modules', '.bin', process.platform === 'win32' ? 'shenbao.cmd' : 'shenbao'));

function run(command, args, name, shell = false) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${name}: ${signal ?? `exit code ${status}`}`);
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** One at a time: two starts at once would install into the same folder. */
function withLock(work) {
  const lock = inRoot('.cache', 'prepare.lock');
  fs.mkdirSync(path.dirname(lock), { recursive: true });
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; ; waited += 100) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(readJson(lock));
    if ((holder > 0 && (holder === process.pid || !isRunning(holder))) || waited > LOCK_PATIENCE_MS)
      fs.rmSync(lock, { force: true });
    Atomics.wait(pause, 0, 0, 100);
  }
  try {
    work();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

/** Again under the lock: another start may have done it meanwhile. */
function prepare() {
  if (!isInstalled()) install();
  const digest = sourceDigest();
  if (forced || !isBuilt(digest)) {
    build();
    fs.writeFileSync(stampFile, digest);
  }
  linkProgram();
}

try {
  if (forced || !isInstalled() || !isBuilt(sourceDigest()) || !isLinked()) withLock(prepare);
} catch (error) {
  const hint = ['EACCES', 'EPERM', 'EROFS'].includes(error.code)
    ? `\n${root} 不可写，请由其所有者先运行一次 npm run build / is not writable: let its owner run npm run build once`
    : '';
  console.error(`准备失败 / preparation failed: ${error.message}${hint}`);
  process.exit(1);
}
