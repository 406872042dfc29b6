import { filingId, laneOf, type Period } from '../domain/filing.ts';
import { filingKey } from '../domain/filing-key.ts';
import type { Sql } from '../storage/db.ts';
import { findKeyed, type KeyedFiling } from '../storage/obligations.ts';

export interface ChainsContext {
  readonly sql: Sql;
  readonly lanes: number;
}

/** A periodic filing as it would be called: what is filed for it, in which offices' logs it may stand. */
export interface FilingSlot {
  readonly filer: string;
  readonly type: string;
  readonly period: Period;
  readonly offices: readonly string[];
}

/** One filing of a chain. */
export type ChainLink = KeyedFiling & { readonly id: string };

export interface Chain {
  /** What counts: from the original on, or from the original after the last voiding; empty when nothing stands. */
  readonly standing: readonly ChainLink[];
  /** The newest filing, a voiding too: what a new original or a correction supersedes. Undefined: nothing was ever filed. */
  readonly head: ChainLink | undefined;
}

/** Corrections of one period that are followed; the newest beyond is not looked at. */
const MAX_LINKS = 100;
/** Keys of one statement. */
const MAX_KEYS = 2_000;

/**
 * What was filed for each slot. The keys of originals and of what supersedes a known filing can be computed, so the chains
 * of all slots are walked together, a statement for each step, whatever else the filer has filed.
 */
export async function findChains(ctx: ChainsContext, slots: readonly FilingSlot[]): Promise<Chain[]> {
  const chains = slots.map(() => ({ standing: [] as ChainLink[], head: undefined as ChainLink | undefined }));
  let open = slots.map((slot, i) => ({ slot, i, supersedes: undefined as string | undefined }));
  for (let step = 0; step < MAX_LINKS && open.length > 0; step++) {
    const wanted = open.map((each) => ({ ...each, key: filingKey({ ...each.slot, supersedes: each.supersedes }) }));
    const found = new Map<string, KeyedFiling>();
    const keys = wanted.flatMap(({ slot, key }) => lanesOf(ctx, slot).map((lane) => ({ lane, key })));
    for (let start = 0; start < keys.length; start += MAX_KEYS) {
      for (const filing of await findKeyed(ctx.sql, keys.slice(start, start + MAX_KEYS)))
        found.set(filing.key.toString('hex'), filing);
    }
    open = wanted.flatMap(({ slot, i, key }) => {
      const filing = found.get(key.toString('hex'));
      if (filing === undefined) return [];
      const link = { ...filing, id: filingId(filing.office, filing.index) };
      const before = filing.kind === 'void' ? [] : (chains[i]?.standing ?? []);
      chains[i] = { standing: filing.kind === 'void' ? [] : [...before, link], head: link };
      return [{ slot, i, supersedes: link.id }];
    });
  }
  return chains;
}

function lanesOf(ctx: ChainsContext, { offices }: FilingSlot): number[] {
  return [...new Set(offices.map((office) => laneOf(office, ctx.lanes)))];
}
