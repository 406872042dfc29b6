import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { fileError } from './exit.ts';

/** Whole or not at all, also after a crash: written beside, synced, then renamed over. */
export async function writeDurably(file: string, text: string): Promise<void> {
  const draft = `${file}.part`;
  const handle = await open(draft, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}

/** Refuses to overwrite unless `force`. Secrets get mode 0600. */
export async function writeNew(
  file: string,
  text: string,
  options: { force: boolean; secret: boolean },
): Promise<void> {
  await writeFile(file, text, { flag: options.force ? 'w' : 'wx', mode: options.secret ? 0o600 : 0o644 }).catch(
    (error: unknown) => {
      throw fileError(file, error);
    },
  );
}

export async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw fileError(file, error);
  });
}
