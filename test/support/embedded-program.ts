// A process that holds an embedded database, for tests that start and kill such processes.
// Arguments: data folder, and optionally the state folder. Prints one line of JSON when the database is ready.
import { StartError } from '../../src/std/start-error.ts';
import type { Logger } from '../../src/std/telemetry.ts';
import { startEmbedded } from '../../src/storage/embedded.ts';

const say = (fields: object, message: string): void =>
  void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const log: Logger = { debug: say, info: say, warn: say, error: say };
const [dataDir = '', stateRoot] = process.argv.slice(2);

try {
  const server = await startEmbedded({ dataDir, ...(stateRoot === undefined ? {} : { stateRoot }), log });
  const alive = setInterval(() => {}, 60_000);
  process.once('SIGTERM', () => {
    clearInterval(alive);
    void server.stop();
  });
  const { url, socketDir, port, pid, attached } = server;
  process.stdout.write(`${JSON.stringify({ url, socketDir, port, pid, dataDir: server.dataDir, attached })}\n`);
} catch (error) {
  process.stderr.write(error instanceof StartError ? `${error.message}\n` : `${error}\n`);
  process.exitCode = 3;
}
