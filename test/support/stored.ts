import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { filingId } from '../../src/domain/filing.ts';
import { type CommitContext, commitTick } from '../../src/ingest/commit.ts';
import { checkedFiling } from './commit.ts';
import type { Payload } from './filer.ts';

/**
 * Stores a filing as it is, whatever the rules for accepting it say, and returns its id; undefined when something stands under
 * its key already. Received in the minute `at` of a day.
 */
export async function storeUnchecked(
  ctx: CommitContext,
  office: string,
  payload: Payload,
  at: number,
): Promise<string | undefined> {
  const text = JSON.stringify(payload);
  const facts = {
    office,
    type: String(payload.type),
    version: String(payload.version),
    filer: String(payload.filer),
    period: payload.period as { from: string; to: string },
    reference: payload.reference as never,
    kind: payload.kind as 'original',
    supersedes: payload.supersedes as never,
    receivedAt: Date.UTC(2027, 0, 1) + at * 60_000,
    content: `e30.${Buffer.from(text).toString('base64url')}.e30`,
  };
  const [outcome] = await commitTick(ctx, [checkedFiling({ text, ...facts })]);
  if (outcome?.kind === 'failed') throw outcome.error;
  return outcome?.kind === 'stored' ? filingId(office, outcome.record.index) : undefined;
}

const schemas = fileURLToPath(new URL('../../schemas', import.meta.url));

/** The filings of the examples of what is compared, with those that they are compared with; one for each period and reference. */
export function comparedExamples(): Payload[] {
  const all = readdirSync(schemas, { recursive: true, encoding: 'utf8' })
    .filter((name) => /compared-[a-z0-9-]+\.json$/.test(name))
    .sort()
    .flatMap((name) => {
      const { filing, others } = JSON.parse(readFileSync(`${schemas}/${name}`, 'utf8')) as {
        filing: Payload;
        others: Record<string, Payload[]>;
      };
      return [...Object.values(others).flat(), filing];
    });
  const keyOf = ({ type, period, reference }: Payload): string => JSON.stringify([type, period, reference]);
  return [...new Map(all.map((payload) => [keyOf(payload), payload])).values()];
}
