import { ShenbaoClient } from '../src/client/client.ts';
import type { OnProgress } from './command.ts';
import { type CorpusOptions, importLines, officeOf } from './corpus.ts';
import type { BenchGateway } from './gateway.ts';

/** Registers offices and filers of a corpus, and tells how many entries each office's log had before. */
export async function importParties(
  gateway: BenchGateway,
  corpus: CorpusOptions,
  onProgress: OnProgress,
): Promise<ReadonlyMap<string, number>> {
  const operator = new ShenbaoClient({ gateway: gateway.url, key: gateway.operatorKey });
  const total = 3 * (corpus.filers + corpus.offices);
  let done = 0;
  for await (const { line, problem } of operator.importLines(importLines(corpus))) {
    if (problem !== undefined) throw new Error(`import, line ${line}: ${problem.code} ${problem.detail ?? ''}`);
    if (++done % 500 === 0) onProgress('importing parties', done / total);
  }
  const heads = await operator.heads('tax');
  const ours = new Set(Array.from({ length: corpus.offices }, (_, i) => officeOf(i)));
  return new Map(heads.items.filter(({ office }) => ours.has(office)).map(({ office, size }) => [office, size]));
}
