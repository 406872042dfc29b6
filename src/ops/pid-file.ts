import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The number of the process that takes signals, for `kill -HUP "$(cat DATA_DIR/gateway.pid)"`. Returns how to remove it. */
export async function writePidFile(dataDir: string): Promise<() => Promise<void>> {
  const file = path.join(dataDir, 'gateway.pid');
  const own = `${process.pid}\n`;
  await writeFile(file, own);
  return async () => {
    // A gateway that was started later on the same folder has put its own there.
    if ((await readFile(file, 'utf8').catch(() => '')) === own) await rm(file, { force: true });
  };
}
