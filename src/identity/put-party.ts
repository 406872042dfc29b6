import { isOfficeCode } from '../domain/filing.ts';
import { checkUscc, type IdentifierCheck } from '../domain/identifiers.ts';
import type { Violation } from '../std/errors.ts';
import type { PartyRow } from '../storage/identity.ts';
import {
  applyChange,
  type Change,
  conflict,
  finding,
  type IdentityContext,
  type Outcome,
  refuse,
  refuseIfAny,
} from './change.ts';
import type { PartyKind } from './records.ts';
import { type PartyResource, partyResource } from './resources.ts';

export interface PartyInput {
  readonly id: string;
  readonly kind: PartyKind;
  readonly name: string;
  readonly taxpayerKind?: 'general' | 'small';
  /** `active` when absent. */
  readonly status?: 'active' | 'suspended';
}

/**
 * Makes or changes a party. A filer's and an agent's id is their USCC, an office's the code of an office that exists, an
 * operator's a name. The kind of a party never changes: its rights and its filings hang on it.
 */
export async function putParty(ctx: IdentityContext, input: PartyInput): Promise<Outcome<PartyResource>> {
  return applyChange(ctx, partyChange(input));
}

export function partyChange(input: PartyInput): Change<PartyResource> {
  refuseIfAny(checkParty(input));
  return {
    needs: { parties: [input.id], offices: input.kind === 'office' ? [input.id] : [] },
    apply: (state) => {
      const standing = state.party(input.id);
      if (standing !== undefined && standing.kind !== input.kind) {
        throw conflict('该主体已登记为另一类别，类别不能更改。', 'The party is of another kind, which cannot change.');
      }
      if (input.kind === 'office' && state.office(input.id) === undefined) {
        throw refuse(
          '/id',
          'unknown-office',
          '机关尚未登记，请先登记机关',
          'there is no such office; put the office first',
        );
      }
      const row: PartyRow = {
        id: input.id,
        kind: input.kind,
        name: input.name,
        taxpayerKind: input.taxpayerKind ?? null,
        status: input.status ?? 'active',
      };
      const isSame =
        standing !== undefined &&
        standing.name === row.name &&
        standing.taxpayerKind === row.taxpayerKind &&
        standing.status === row.status;
      if (!isSame) state.setParty(row);
      return { created: standing === undefined, resource: partyResource(row) };
    },
  };
}

const checkOfficeId = (id: string): IdentifierCheck =>
  isOfficeCode(id) ? { ok: true } : { ok: false, reason: { zh: '应为机关代码', en: 'must be an office code' } };

const checkOperatorId = (id: string): IdentifierCheck =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)
    ? { ok: true }
    : {
        ok: false,
        reason: {
          zh: '应为1至64位字母、数字、点、下划线或连字符',
          en: 'must be 1 to 64 letters, digits, dots, underscores or hyphens',
        },
      };

const ID_CHECKS: Readonly<Record<PartyKind, (id: string) => IdentifierCheck>> = {
  filer: checkUscc,
  agent: checkUscc,
  office: checkOfficeId,
  operator: checkOperatorId,
};

function checkParty(input: PartyInput): Violation[] {
  const found: Violation[] = [];
  const id = ID_CHECKS[input.kind](input.id);
  if (!id.ok) found.push(finding('/id', 'identifier', id.reason));
  if (input.taxpayerKind !== undefined && input.kind !== 'filer') {
    found.push(finding('/taxpayerKind', 'taxpayer-kind', { zh: '只有申报人有纳税人类别', en: 'only a filer has one' }));
  }
  return found;
}
