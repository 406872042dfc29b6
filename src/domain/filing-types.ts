import type { Period } from './filing.ts';
import type { FilingType, FilingTypeMetadata, FilingTypeVersion } from './filing-type.ts';
import { checkPeriodKind } from './period-kinds.ts';

export function filingType(metadata: FilingTypeMetadata, versions: ReadonlyMap<string, FilingTypeVersion>): FilingType {
  return {
    metadata,
    versions,
    isEvent: metadata.periods.includes('event'),
    resolve: (version, period) => (version === undefined ? inForce(versions, period) : versions.get(version)),
    checkPeriod: (period) => checkPeriodKind(metadata.periods, period),
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
