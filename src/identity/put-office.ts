import { AGENCIES, type Agency, isOfficeCode, laneOf } from '../domain/filing.ts';
import { checkRegionCode } from '../domain/identifiers.ts';
import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { OfficeRow } from '../storage/identity.ts';
import {
  applyChange,
  type Change,
  conflict,
  finding,
  type IdentityContext,
  type Outcome,
  refuseIfAny,
} from './change.ts';
import { type OfficeResource, officeResource } from './resources.ts';

export interface OfficeInput {
  readonly office: string;
  readonly agency: Agency;
  readonly region: string;
  readonly name: Text;
}

/**
 * Makes or renames an office. Its log (`office_head`, empty) is made in the same transaction: an office that can be named
 * can be filed at. The agency of a code never changes, because filings of its types stand in its log.
 */
export async function putOffice(ctx: IdentityContext, input: OfficeInput): Promise<Outcome<OfficeResource>> {
  return applyChange(ctx, officeChange(input));
}

export function officeChange(input: OfficeInput): Change<OfficeResource> {
  refuseIfAny(checkOffice(input));
  return {
    needs: { offices: [input.office] },
    apply: (state) => {
      const standing = state.office(input.office);
      if (standing !== undefined && standing.agency !== input.agency) {
        throw conflict(
          '机关代码已属于另一部门，部门不能更改。',
          'The office code belongs to another agency, which cannot change.',
        );
      }
      const row: OfficeRow = {
        code: input.office,
        agency: input.agency,
        region: input.region,
        nameZh: input.name.zh,
        nameEn: input.name.en,
        lane: standing?.lane ?? laneOf(input.office, state.lanes),
      };
      const isSame =
        standing !== undefined &&
        standing.region === row.region &&
        standing.nameZh === row.nameZh &&
        standing.nameEn === row.nameEn;
      if (!isSame) state.setOffice(row);
      return { created: standing === undefined, resource: officeResource(row) };
    },
  };
}

function checkOffice(input: OfficeInput): Violation[] {
  const found: Violation[] = [];
  if (!isOfficeCode(input.office)) {
    found.push(
      finding('/office', 'identifier', {
        zh: '机关代码应为1至32位字母、数字或连字符',
        en: 'an office code has 1 to 32 letters, digits or hyphens',
      }),
    );
  }
  if (!AGENCIES.includes(input.agency))
    found.push(finding('/agency', 'agency', { zh: '部门代码不存在', en: 'is not an agency' }));
  const region = checkRegionCode(input.region);
  if (!region.ok) found.push(finding('/region', 'identifier', region.reason));
  return found;
}
