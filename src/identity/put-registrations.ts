import type { PlainDate } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { RegistrationRow } from '../storage/identity.ts';
import {
  applyChange,
  type Change,
  finding,
  type IdentityContext,
  notFound,
  type Outcome,
  refuse,
  refuseIfAny,
} from './change.ts';
import { checkDates } from './dates.ts';
import { type RegistrationResource, registrationsResource } from './resources.ts';

export interface RegistrationsInput {
  readonly filer: string;
  readonly registrations: readonly { readonly office: string; readonly from: PlainDate; readonly to?: PlainDate }[];
  /** Where the list stands in the document that was sent: '' when it is the document. */
  readonly pointer: '' | '/registrations';
}

/** Offices that one filer is registered at, now or at other times. */
export const MAX_REGISTRATIONS = 100;

/**
 * Replaces a filer's registrations. Those that are not in the list any more become withdrawn: nothing new is filed there,
 * but filings that stand in that office's log are still found.
 */
export async function putRegistrations(
  ctx: IdentityContext,
  input: RegistrationsInput,
): Promise<Outcome<RegistrationResource[]>> {
  return applyChange(ctx, registrationsChange(input));
}

export function registrationsChange(input: RegistrationsInput): Change<RegistrationResource[]> {
  refuseIfAny(checkRegistrations(input));
  return {
    needs: {
      parties: [input.filer],
      registrations: [input.filer],
      offices: input.registrations.map(({ office }) => office),
    },
    apply: (state) => {
      const party = state.party(input.filer);
      if (party === undefined) throw notFound('没有此申报人。', 'There is no such filer.');
      if (party.kind !== 'filer')
        throw refuse('', 'party-kind', '只有申报人可以登记到机关', 'only a filer can be registered at offices');
      refuseIfAny(
        input.registrations.flatMap(({ office }, i) =>
          state.office(office) === undefined
            ? [
                finding(`${input.pointer}/${i}/office`, 'unknown-office', {
                  zh: '没有此机关',
                  en: 'there is no such office',
                }),
              ]
            : [],
        ),
      );
      const standing = state.registrations(input.filer);
      const changes = changesTo(standing, input);
      if (changes.length > 0) state.setRegistrations(input.filer, changes);
      return {
        created: standing.length === 0 && input.registrations.length > 0,
        resource: registrationsResource(state.registrations(input.filer)),
      };
    },
  };
}

/** Rows to be set: those listed that are new or different, and those standing that are to be withdrawn. */
function changesTo(standing: readonly RegistrationRow[], input: RegistrationsInput): RegistrationRow[] {
  const rest = new Map(standing.map((row) => [`${row.office} ${row.from}`, row]));
  const changes: RegistrationRow[] = [];
  for (const { office, from, to } of input.registrations) {
    const old = rest.get(`${office} ${from}`);
    rest.delete(`${office} ${from}`);
    if (old !== undefined && !old.withdrawn && old.to === (to ?? null)) continue;
    changes.push({ filer: input.filer, office, from, to: to ?? null, withdrawn: false });
  }
  for (const row of rest.values()) if (!row.withdrawn) changes.push({ ...row, withdrawn: true });
  return changes;
}

function checkRegistrations({ registrations, pointer }: RegistrationsInput): Violation[] {
  if (registrations.length > MAX_REGISTRATIONS) {
    return [
      finding(pointer, 'too-many', { zh: `最多${MAX_REGISTRATIONS}项`, en: `has at most ${MAX_REGISTRATIONS} items` }),
    ];
  }
  const seen = new Set<string>();
  return registrations.flatMap((registration, i) => {
    const key = `${registration.office} ${registration.from}`;
    const isTwice = seen.has(key);
    seen.add(key);
    const twice = finding(`${pointer}/${i}`, 'duplicate', {
      zh: '同一机关、同一起始日期重复',
      en: 'the same office and first day twice',
    });
    return [...checkDates(registration, `${pointer}/${i}`), ...(isTwice ? [twice] : [])];
  });
}
