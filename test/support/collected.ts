import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;

/** Collects the whole heap. */
export function collect(): void {
  gc();
}

/** Bytes by which V8's old generation grows while `round` runs so often, the young one being collected after each. */
export function grownOld(rounds: number, round: () => void): number {
  const minor = (): void => gc({ type: 'minor' });
  // What is there already becomes old, and so does whatever points to what comes later.
  gc();
  const before = oldBytes();
  for (let i = 0; i < rounds; i++) {
    round();
    minor();
  }
  minor();
  return oldBytes() - before;
}

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? Number.NaN;
}
