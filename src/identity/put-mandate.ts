import type { PlainDate } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { MandateRow } from '../storage/identity.ts';
import {
  applyChange,
  type Change,
  conflict,
  finding,
  type IdentityContext,
  type Outcome,
  refuseIfAny,
} from './change.ts';
import { checkDates } from './dates.ts';
import { isTypePattern } from './mandates.ts';
import { type MandateResource, mandateResource } from './resources.ts';
import type { IdentityState } from './state.ts';

export interface MandateInput {
  readonly id: string;
  readonly agent: string;
  readonly filer: string;
  readonly types: readonly string[];
  readonly from: PlainDate;
  readonly to?: PlainDate;
}

export const MAX_MANDATE_TYPES = 50;

/**
 * Makes or changes a mandate. Between whom it is never changes; it is ended by its last day. One that the filer has signed
 * can only be ended earlier: what the filer did not say must not stand in its name.
 */
export async function putMandate(ctx: IdentityContext, input: MandateInput): Promise<Outcome<MandateResource>> {
  return applyChange(ctx, mandateChange(input));
}

export function mandateChange(input: MandateInput): Change<MandateResource> {
  refuseIfAny(checkMandate(input));
  return {
    needs: { mandates: [input.id], parties: [input.agent, input.filer] },
    apply: (state) => {
      const standing = state.mandate(input.id);
      checkSameParties(standing, input);
      checkPartners(state, input);
      const { id, agent, filer, types, from, to } = input;
      const signed = { jws: standing?.jws ?? null, signedAt: standing?.signedAt ?? null };
      const row: MandateRow = { id, agent, filer, types, from, to: to ?? null, ...signed };
      const hasSameGrant =
        standing !== undefined && standing.from === row.from && standing.types.join() === row.types.join();
      const isSame = hasSameGrant && standing.to === row.to;
      if (!isSame && signed.jws !== null && !(hasSameGrant && endsEarlier(row, standing))) {
        throw conflict(
          '该委托由申报人签名，只能提前终止；其他更改须由申报人重新签名。',
          'The filer has signed this mandate: it can only be ended earlier. The filer signs any other change.',
        );
      }
      if (!isSame) state.setMandate(row);
      return { created: standing === undefined, resource: mandateResource(row) };
    },
  };
}

function endsEarlier(row: Pick<MandateRow, 'to'>, than: Pick<MandateRow, 'to'>): boolean {
  return row.to !== null && (than.to === null || row.to < than.to);
}

/** That both are there, and are what they are named as. */
export function checkPartners(state: IdentityState, { agent, filer }: Pick<MandateInput, 'agent' | 'filer'>): void {
  refuseIfAny([...checkPartner(state, agent, 'agent'), ...checkPartner(state, filer, 'filer')]);
}

/** A mandate is between the same two parties for ever. */
export function checkSameParties(
  standing: MandateRow | undefined,
  { agent, filer }: Pick<MandateInput, 'agent' | 'filer'>,
): void {
  if (standing === undefined || (standing.agent === agent && standing.filer === filer)) return;
  throw conflict('该委托编号已用于另外的双方。', 'The mandate is between two other parties, which cannot change.');
}

function checkPartner(state: IdentityState, id: string, kind: 'agent' | 'filer'): Violation[] {
  if (state.party(id)?.kind === kind) return [];
  const message =
    kind === 'agent'
      ? { zh: '没有此代理机构', en: 'there is no such agent' }
      : { zh: '没有此申报人', en: 'there is no such filer' };
  return [finding(`/${kind}`, 'unknown-party', message)];
}

export function checkMandate(input: MandateInput): Violation[] {
  const found = checkDates(input, '');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(input.id)) {
    found.push(
      finding('/id', 'identifier', {
        zh: '委托编号应为1至64位字母、数字、点、下划线或连字符',
        en: 'must be 1 to 64 letters, digits, dots, underscores or hyphens',
      }),
    );
  }
  if (input.types.length === 0 || input.types.length > MAX_MANDATE_TYPES) {
    found.push(
      finding('/types', 'types', {
        zh: `应有1至${MAX_MANDATE_TYPES}项`,
        en: `must have 1 to ${MAX_MANDATE_TYPES} items`,
      }),
    );
  }
  input.types.slice(0, MAX_MANDATE_TYPES).forEach((pattern, i) => {
    if (isTypePattern(pattern)) return;
    const message = { zh: '应为申报类型，或如tax.*的一组类型', en: 'must be a filing type or a group such as tax.*' };
    found.push(finding(`/types/${i}`, 'types', message));
  });
  return found;
}
