import type { Agency } from '../domain/filing.ts';
import type { PlainDate } from '../std/clock.ts';
import { isInForce } from './mandates.ts';
import type { Office, Registration } from './records.ts';

/**
 * The office that a filing goes to when it names none: of the registrations in force on `date` at an office of `agency`,
 * the one that began last (a filer may keep an old office for a time after it moved; of two that began on one day, the
 * smaller code). Undefined: not registered with that agency.
 */
export function officeFor(
  registrations: readonly Registration[],
  offices: ReadonlyMap<string, Office> | ((code: string) => Office | undefined),
  agency: Agency,
  date: PlainDate,
): Office | undefined {
  const officeOf = typeof offices === 'function' ? offices : (code: string) => offices.get(code);
  let chosen: { office: Office; from: PlainDate } | undefined;
  for (const registration of registrations) {
    if (registration.withdrawn || !isInForce(registration, date)) continue;
    const office = officeOf(registration.office);
    if (office === undefined || office.agency !== agency) continue;
    const isBetter =
      chosen === undefined ||
      registration.from > chosen.from ||
      (registration.from === chosen.from && office.code < chosen.office.code);
    if (isBetter) chosen = { office, from: registration.from };
  }
  return chosen?.office;
}

/** True when a filer may file at `office` on `date`: a registration there is in force. */
export function isRegisteredAt(registrations: readonly Registration[], office: string, date: PlainDate): boolean {
  return registrations.some(
    (registration) => !registration.withdrawn && registration.office === office && isInForce(registration, date),
  );
}
