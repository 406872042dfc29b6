import { ShenbaoClient } from '../../src/client/client.ts';
import type { FilingPayload } from '../../src/domain/filing.ts';
import type { FilingTypeMetadata } from '../../src/domain/filing-type.ts';
import { addDays, addMonths, periodContaining } from '../../src/domain/period-kinds.ts';
import type { PlainDate } from '../../src/std/clock.ts';
import { settle, vatLines } from '../vat.ts';
import { type Job, signed } from './plan.ts';
import { type DemoEnterprise, type DemoWorld, recentDay } from './world.ts';

/** A filing type as the gateway describes it, with the example of its version that is in force today. */
export interface DemoType {
  readonly metadata: Pick<FilingTypeMetadata, 'type' | 'title' | 'periods' | 'filers'>;
  readonly example: FilingPayload;
}

/** How many enterprises file each type. */
const FILERS_OF_A_TYPE = 3;

/** Everything that can be filed with this gateway, whatever it is: nothing here knows the types that ship. */
export async function readTypes(gateway: string, today: PlainDate): Promise<DemoType[]> {
  const { items } = await read<{ readonly items: readonly FilingTypeMetadata[] }>(`${gateway}/v1/filing-types`);
  const types: DemoType[] = [];
  for (const metadata of items) {
    const version = metadata.versions.find(({ from, to }) => from <= today && (to === undefined || today <= to));
    if (version === undefined) continue;
    const path = `/v1/filing-types/${metadata.type}/versions/${version.version}/example`;
    types.push({ metadata, example: await read<FilingPayload>(gateway + path) });
  }
  return types;
}

async function read<T>(url: string): Promise<T> {
  const response = await fetch(url, { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`GET ${url}: ${response.status}`);
  return (await response.json()) as T;
}

/** Three filings of each type: what the gateway gives as an example, by enterprises of the demo. */
export async function sampleRound(gateway: string, world: DemoWorld, types: readonly DemoType[]): Promise<Job[]> {
  const client = new ShenbaoClient({ gateway, issuer: world.issuer });
  const jobs: Job[] = [];
  for (const type of types) {
    for (let i = 0; i < FILERS_OF_A_TYPE; i++) {
      const filer = sampler(world, type, i);
      const payload = await recentPayload(client, world, type, examplePayload(world, type, filer));
      const channel = i === 1 ? 'form-a' : 'single';
      jobs.push(signed(filer.signer, { reason: 'sample', channel, payload, filer, expected: 'accepted' }));
    }
  }
  return jobs;
}

/** The i-th of those who may file the type. */
function sampler({ samplers }: DemoWorld, { metadata }: DemoType, i: number): DemoEnterprise {
  const kinds = metadata.filers?.taxpayerKinds;
  const able = samplers.filter(({ general }) => kinds === undefined || kinds.includes(general ? 'general' : 'small'));
  return able[i % able.length] as DemoEnterprise;
}

function examplePayload({ run }: DemoWorld, { metadata, example }: DemoType, filer: DemoEnterprise): FilingPayload {
  const reference = `EX-${run}-${metadata.type}-${filer.index}`;
  return {
    ...example,
    filer: filer.uscc,
    ...(example.reference === undefined ? {} : { reference }),
    // Where the form repeats who files, it has to be the same.
    data: mapTexts(example.data, (text) => (text === example.filer ? filer.uscc : text)),
  };
}

/** Years around the event's day within which a date of the form belongs to the event; a date of birth does not. */
const EVENT_YEARS = 8;

/**
 * The same events, but of yesterday: every date moved by as many days. Where a form's own rules want the dates of the example
 * (a term of whole years, the month of a table), which the gateway is asked about first, the example stays as it is.
 */
async function recentPayload(
  client: ShenbaoClient,
  world: DemoWorld,
  { metadata }: DemoType,
  payload: FilingPayload,
): Promise<FilingPayload> {
  if (!metadata.periods.every((kind) => kind === 'event' || kind === 'day')) return payload;
  const day = recentDay(world, 1);
  const days = daysBetween(payload.period.to, day);
  const isNear = (date: string): boolean => Math.abs(daysBetween(payload.period.to, date)) < EVENT_YEARS * 365;
  const data = mapTexts(payload.data, (text) => {
    const [date = ''] = /^\d{4}-\d\d-\d\d(?=$|T)/.exec(text) ?? [];
    return date === '' || !isNear(date) ? text : addDays(date, days) + text.slice(date.length);
  });
  const moved = { ...payload, period: { from: day, to: day }, data };
  return (await client.validate(moved)).valid ? moved : payload;
}

function daysBetween(from: PlainDate, to: PlainDate): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);
}

function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((element) => mapTexts(element, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, mapTexts(member, change)]));
}

/** The rule that finds a credit which the next return forgets. */
export const FORGOTTEN_CREDIT = 'VAT-13-CARRIED';

/** For the VAT returns among the samples: last month's, with a credit that this month's does not carry over. */
export function creditRound(samples: readonly Job[]): Job[] {
  return samples.flatMap(({ payload, filer }) => {
    if (payload.type !== 'tax.vat.general') return [];
    const period = periodContaining('month', addMonths(payload.period.from, -1));
    const data = { lines: vatLines(settle({ 1: 1_000_000_00, 2: 1_000_000_00, 12: 150_000_00 }), 'usual') };
    const earlier = { type: payload.type, filer: filer.uscc, period, kind: 'original', data } as const;
    const job = { reason: 'credit', channel: 'single', payload: earlier, filer, expected: 'accepted' } as const;
    return [signed(filer.signer, job)];
  });
}
