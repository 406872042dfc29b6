import type { TransactionSql } from '../storage/db.ts';
import { selectOfficesOfFilers } from '../storage/identity.ts';
import { agencyOf } from './standing.ts';

/** A filing about to be stored, as far as it matters where. */
interface Placed {
  readonly filer: string;
  readonly type: string;
  /** Offices of the type's agency that its filer was ever registered in. */
  readonly candidates: readonly string[];
  /** The identity change up to which these are all; undefined: not known. */
  readonly asOf?: number | undefined;
}

/**
 * Of filings about to be stored: those whose filer has been registered in another office of the agency since this process
 * last heard of it. The same filing may stand in that office's log, stored by a process that has heard, where this one has not
 * looked. Must be asked after the heads are locked: both processes lock those of the offices that both know, so that
 * whoever comes second sees what the first has stored, and the registration that it went by.
 * @param newest identity change that can be seen under the locks: for filings that were judged by it there is nothing to ask
 */
export async function findMoved<F extends Placed>(
  tx: TransactionSql,
  filings: readonly F[],
  newest: number,
): Promise<ReadonlySet<F>> {
  const moved = new Set<F>();
  const byFiler = new Map<string, F[]>();
  for (const filing of filings) {
    if ((filing.asOf ?? 0) >= newest) continue;
    const list = byFiler.get(filing.filer);
    if (list === undefined) byFiler.set(filing.filer, [filing]);
    else list.push(filing);
  }
  if (byFiler.size === 0) return moved;
  for (const { filer, office, agency } of await selectOfficesOfFilers(tx, [...byFiler.keys()]))
    for (const filing of byFiler.get(filer) ?? [])
      if (agencyOf(filing.type) === agency && !filing.candidates.includes(office)) moved.add(filing);
  return moved;
}
