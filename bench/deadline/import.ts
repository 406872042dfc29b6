import { readFile } from 'node:fs/promises';
import { ShenbaoClient } from '../../src/client/client.ts';
import type { OnProgress } from '../command.ts';
import { importLines } from '../corpus.ts';
import { readCpu } from '../cpu.ts';
import type { BenchGateway } from '../gateway.ts';
import type { CorpusPart, NightCorpus } from './corpus.ts';

export interface ImportOutcome {
  /** Filers, agents and clients. */
  readonly parties: number;
  readonly lines: number;
  readonly seconds: number;
  /** CPU seconds; absent for a gateway that was running before. */
  readonly cpu?: { readonly gateway: number; readonly postgres: number };
}

/** Uploads at once: while one waits for the database, the other is read. */
const AT_ONCE = 2;
const LINES_A_REQUEST = 20_000;

/** Registers the offices, then everybody else, as an operator does it. */
export async function importNight(
  gateway: BenchGateway,
  corpus: NightCorpus,
  parts: readonly CorpusPart[],
  onProgress: OnProgress,
): Promise<ImportOutcome> {
  const operator = new ShenbaoClient({ gateway: gateway.url, key: gateway.operatorKey });
  const { seed, offices } = corpus;
  const parties = parts.reduce((sum, { count, of }) => sum + count + ('agent' in of ? 1 : 0), 0);
  let lines = 0;
  let done = 0;
  const take = async (some: Iterable<string | Uint8Array>): Promise<void> => {
    for await (const { line, problem } of operator.importLines(some, { linesARequest: LINES_A_REQUEST })) {
      if (problem !== undefined) throw new Error(`import, line ${line}: ${problem.code} ${problem.detail ?? ''}`);
      lines++;
    }
  };
  const startMs = performance.now();
  const before = gateway.pid === undefined ? undefined : readCpu(gateway.pid);
  await take(importLines({ seed, filers: 0, offices, shape: 'usual' }));
  const queue = [...parts];
  const work = async (): Promise<void> => {
    for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
      await take(linesOf(await readFile(part.parties)));
      done += part.count;
      onProgress(`${done} parties imported`, done / parties);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const after = gateway.pid === undefined ? undefined : readCpu(gateway.pid);
  return {
    parties,
    lines,
    seconds: (performance.now() - startMs) / 1_000,
    ...(before === undefined || after === undefined
      ? {}
      : { cpu: { gateway: after.gateway - before.gateway, postgres: after.postgres - before.postgres } }),
  };
}

function* linesOf(bytes: Buffer): Generator<Uint8Array> {
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(0x0a, start);
    yield bytes.subarray(start, end);
  }
}
