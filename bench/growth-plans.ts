import postgres from 'postgres';
import { connect, type DatabaseAddress, type Sql } from '../src/storage/db.ts';
import { GROWING, PROBES, type Probe, type Sample, sampleFilings } from './growth-probes.ts';

/** How PostgreSQL went about a statement. */
export interface StatementPlan {
  readonly statement: string;
  /** `<node> <table or index>` in the order of the plan, without those that read nothing. */
  readonly reads: readonly string[];
  /** Tables that grow, read from beginning to end although they have more than a few pages. */
  readonly scanned: readonly string[];
  /** Pages that were looked at, in memory or not. */
  readonly pages: number;
}

export interface LookupTime {
  readonly lookup: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Shared Hit Blocks'?: number;
  readonly 'Shared Read Blocks'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** `index`: what cannot be read through an index is read from beginning to end, however small the table is. */
export type PlannerBias = 'none' | 'index';

/** A table of fewer pages is rightly read whole. */
const FEW_PAGES = 16;

/**
 * The plan of each statement, as the server tells of it while the gateway's own function sends it (auto_explain). Generic plans:
 * a prepared statement ends up with one of these. Needs a superuser.
 */
export async function explainProbes(address: DatabaseAddress, bias: PlannerBias = 'none'): Promise<StatementPlan[]> {
  let heard: PlanNode[] = [];
  const sql = listening(address, (text) => heard.push(planIn(text)));
  try {
    const [sample] = await sampleFilings(sql, 1);
    const large = await readLarge(sql, bias === 'index' ? 0 : FEW_PAGES);
    await sql.unsafe(`LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_format = json;
      SET auto_explain.log_analyze = on; SET auto_explain.log_buffers = on; SET auto_explain.log_timing = off;
      SET plan_cache_mode = force_generic_plan; SET enable_seqscan = ${bias === 'index' ? 'off' : 'on'};
      SET auto_explain.log_level = notice`);
    const plans: StatementPlan[] = [];
    for (const probe of PROBES) {
      heard = [];
      await probe.run(sql, sample as Sample);
      if (heard.length === 0) throw new Error(`the server did not tell the plan of: ${probe.name}`);
      plans.push(planOf(probe.name, heard, large));
    }
    return plans;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** A client as the gateway's, of one connection, that hears notices: options that were read once are taken as they are. */
function listening(address: DatabaseAddress, onNotice: (text: string) => void): Sql {
  const { options } = connect(address, { max: 1, statementTimeoutMs: 0 });
  const onnotice = ({ message }: { message?: string }): void => onNotice(message ?? '');
  return postgres({ ...options, onnotice } as never) as unknown as Sql;
}

/** Tables that grow and have so many pages. */
async function readLarge(sql: Sql, pages: number): Promise<ReadonlySet<string>> {
  const rows = await sql<{ table: string }[]>`
    SELECT c.relname AS table FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(${[...GROWING]}::text[])
      AND pg_relation_size(c.oid) >= ${pages}::bigint * 8192`;
  return new Set(rows.map(({ table }) => table));
}

/** `duration: 0.012 ms  plan:` and then JSON. */
function planIn(text: string): PlanNode {
  return (JSON.parse(text.slice(text.indexOf('{'))) as { Plan: PlanNode }).Plan;
}

function planOf(statement: string, roots: readonly PlanNode[], large: ReadonlySet<string>): StatementPlan {
  const nodes = roots.flatMap(allNodes);
  const reading = nodes.filter((node) => node['Relation Name'] !== undefined || node['Index Name'] !== undefined);
  const scanned = reading
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => node['Relation Name'] ?? '')
    .filter((table) => large.has(table));
  const pagesOf = (node: PlanNode): number => (node['Shared Hit Blocks'] ?? 0) + (node['Shared Read Blocks'] ?? 0);
  return {
    statement,
    reads: reading.map((node) => `${node['Node Type']} ${node['Index Name'] ?? node['Relation Name'] ?? ''}`),
    scanned,
    pages: roots.reduce((sum, root) => sum + pagesOf(root), 0),
  };
}

function allNodes(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(allNodes)];
}

/** Each lookup, one after another over one connection, by keys from anywhere in the logs. */
export async function timeLookups(address: DatabaseAddress, count: number): Promise<LookupTime[]> {
  const sql = connect(address, { max: 1, statementTimeoutMs: 0 });
  try {
    const warmUp = await sampleFilings(sql, 10);
    const samples = await sampleFilings(sql, count);
    const times: LookupTime[] = [];
    for (const probe of PROBES.filter(({ isLookup }) => isLookup === true)) {
      for (const sample of warmUp) await probe.run(sql, sample);
      times.push(await timeLookup(sql, probe, samples));
    }
    return times;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function timeLookup(sql: Sql, probe: Probe, samples: readonly Sample[]): Promise<LookupTime> {
  const taken: number[] = [];
  for (const sample of samples) {
    const started = performance.now();
    await probe.run(sql, sample);
    taken.push(performance.now() - started);
  }
  taken.sort((a, b) => a - b);
  const at = (share: number): number => taken[Math.min(taken.length - 1, Math.floor(taken.length * share))] as number;
  return { lookup: probe.name, p50Ms: at(0.5), p99Ms: at(0.99) };
}
