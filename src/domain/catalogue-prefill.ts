import type { Violation } from '../std/errors.ts';
import { carryOver, type EarlierFiling, zeroObstacle } from './carry-over.ts';
import type { FilingPayload, Period } from './filing.ts';
import type { FilingTypeMetadata, FilingTypeVersion } from './filing-type.ts';
import type { JsonDocument } from './json-document.ts';
import { addDays, kindsOfPeriod, periodContaining } from './period-kinds.ts';
import type { Prefill } from './prefill.ts';
import { type FillPlace, fillPlaces } from './prefill-file.ts';
import type { SchemaNode } from './schema-node.ts';

type Version = Pick<FilingTypeVersion, 'check' | 'compare' | 'schema' | 'ruleSet'>;
type ReportAt = (pointer: string, message: string) => void;

/**
 * A prefilled filing is valid but for what is left to fill: the skeleton alone, and what carries over from each valid
 * example into the period after it, also by the rules that compare the two. One that may go as a zero filing has no finding
 * at all.
 */
export function checkPrefill(
  metadata: FilingTypeMetadata,
  version: Version,
  prefill: Prefill,
  examples: readonly JsonDocument[],
  report: ReportAt,
): void {
  if (metadata.periods.includes('event'))
    report('', 'an event type has nothing to carry over from one event to the next');
  const always = fillPlaces(version.schema as SchemaNode, prefill.fill);
  const first = [...always, ...fillPlaces(version.schema as SchemaNode, prefill.fillFirst)];
  const seen = new Set<string>();
  for (const { file, value } of examples) {
    const example = payloadIn(value);
    const kind = kindsOfPeriod(example.period).find((each) => metadata.periods.includes(each)) ?? 'month';
    if (!seen.has(kind)) {
      seen.add(kind);
      for (const finding of findings(version, prefill, undefined, example, example.period, first))
        report('/skeleton', `is not valid for a ${kind}: ${describe(finding)}`);
    }
    const next = periodContaining(kind, addDays(example.period.to, 1));
    const earlier = { period: example.period, data: example.data };
    for (const finding of findings(version, prefill, earlier, example, next, always))
      report('/carry', `what carries over from ${file} is not valid: ${describe(finding)}`);
  }
}

/** Of the filing that begins with this: all of a zero filing, else what filling in would not change. */
function findings(
  version: Version,
  prefill: Prefill,
  earlier: EarlierFiling | undefined,
  example: FilingPayload,
  period: Period,
  open: readonly FillPlace[],
): Violation[] {
  const data = carryOver(prefill, earlier, period);
  const { supersedes: _, ...members } = example;
  const payload: FilingPayload = { ...members, kind: 'original', period, data };
  const { errors, warnings } = version.check(payload);
  const compared = earlier === undefined ? [] : version.compare(payload, previousOf(version, example));
  if (zeroObstacle(prefill, data, period) === undefined) return [...errors, ...warnings, ...compared];
  return [...errors, ...compared].filter(({ pointer }) => !open.some((place) => isWithin(pointer, place.pointer)));
}

/** The example in the place of the filing of the period before. */
function previousOf({ ruleSet }: Version, example: FilingPayload): Map<string, readonly FilingPayload[]> {
  const names = Object.entries(ruleSet.others).filter(
    ([, { type, period }]) => type === example.type && period === 'previous',
  );
  return new Map(names.map(([name]) => [name, [example]]));
}

/** An example is a payload, or holds it beside what its rules look at. */
function payloadIn(value: unknown): FilingPayload {
  const { filing } = value as { readonly filing?: FilingPayload };
  return filing ?? (value as FilingPayload);
}

/** A field that is left to fill, or one in it. */
function isWithin(pointer: string, place: string): boolean {
  const wanted = place.split('/');
  const found = pointer.split('/');
  return wanted.every((segment, i) => segment === found[i] || (segment === '{index}' && /^\d+$/.test(found[i] ?? '')));
}

function describe({ pointer, rule, code, message }: Violation): string {
  return `${pointer} ${rule ?? code}: ${message.en}`;
}
