import type { Period } from './filing.ts';
import type { FilingType, FilingTypeMetadata, FilingTypeVersion } from './filing-type.ts';
import { checkPeriodKind } from './period-kinds.ts';

export function filingType(metadata: FilingTypeMetadata, versions: ReadonlyMap<string, FilingTypeVersion>): FilingType {
  return {
    metadata,
    versions,
    isEvent: metadata.periods.includes('event'),
    resolve: (version, period) => (version === undefined ? inForce(versions, period) : versions.get(version)),
    checkPeriod: rememberFitting((period) => checkPeriodKind(metadata.periods, period)),
  };
}

/** In a month most filings of a type have the same period; a type has fewer than this in all its years. */
const MAX_REMEMBERED = 1_000;

function rememberFitting(check: FilingType['checkPeriod']): FilingType['checkPeriod'] {
  const fitting = new Set<string>();
  return (period) => {
    const text = `${period.from}/${period.to}`;
    if (fitting.has(text)) return undefined;
    const violation = check(period);
    if (violation === undefined && fitting.size < MAX_REMEMBERED) fitting.add(text);
    return violation;
  };
}

/** Effective dates are compared with the period's last day. */
function inForce(versions: ReadonlyMap<string, FilingTypeVersion>, period: Period): FilingTypeVersion | undefined {
  for (const version of versions.values()) if (isInForce(version, period)) return version;
  return undefined;
}

export function isInForce({ metadata }: FilingTypeVersion, { to }: Period): boolean {
  return metadata.from <= to && (metadata.to === undefined || to <= metadata.to);
}
