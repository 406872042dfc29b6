import { Type } from 'typebox';
import type { ReloadOutcome } from '../../catalogue/source.ts';
import { GatewayError, type Violation } from '../../std/errors.ts';
import { type Route, route } from '../route.ts';

export interface CatalogueRouteDeps {
  /** Looks at the folder of this host again. */
  readonly reload: () => Promise<ReloadOutcome>;
  /** Has every other process look at its own. */
  readonly announce: () => Promise<void>;
}

/** Checking may take seconds of CPU, below what serves, and may have to wait for a check that is under way. */
const ANSWER_WITHIN_MS = 300_000;

const Names = Type.Array(Type.String());

const ReloadSchema = Type.Object({
  outcome: Type.Enum(['adopted', 'unchanged']),
  added: Names,
  changed: Names,
  otherFiles: Type.Array(Type.String(), {
    description: 'Changed files outside all types, such as those of the calendar',
  }),
  types: Type.Integer({ description: 'In force now' }),
  versions: Type.Integer({ description: 'Of all types' }),
});

export function catalogueRoutes(deps: CatalogueRouteDeps): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/filing-types/reload',
      operationId: 'reloadFilingTypes',
      tag: 'filing types',
      summary: {
        zh: '重新读取 schemas 目录：校验通过即在所有进程生效，有误则维持现有类型',
        en: 'Read the folder schemas again: in force in every process when it is sound, otherwise all stays as it is',
      },
      access: ['operator'],
      answerWithinMs: ANSWER_WITHIN_MS,
      responses: {
        200: {
          description:
            'What has changed, here and now; other processes read the folders of their own hosts within some seconds. A folder with faults, and one that lacks a type or version in force, is refused: 422, each fault with its `file` and `line`.',
          media: { 'application/json': ReloadSchema },
        },
      },
      errors: ['invalid-resource', 'unavailable', 'outcome-unknown'],
      recorded: 'administration',
      handle: async () => {
        const result = await deps.reload();
        if (result.outcome === 'refused') throw refusal(result);
        if (result.outcome === 'failed') throw new GatewayError('unavailable', { detail: NOT_CHECKED });
        await deps.announce();
        return new Response(JSON.stringify(result), { headers: { 'Content-Type': 'application/json' } });
      },
    }),
  ];
}

const NOT_CHECKED = {
  zh: '申报类型的校验未能完成，原因见日志；现有类型继续有效。',
  en: 'The check of the filing types did not come to an end; the log says why. Those in force stay.',
};

function refusal({ problems }: Extract<ReloadOutcome, { outcome: 'refused' }>): GatewayError {
  const errors = problems.map(
    ({ file, line, message }): Violation => ({
      pointer: '',
      code: 'filing-type',
      file: `schemas/${file}`,
      line: String(line),
      severity: 'error',
      message,
    }),
  );
  return new GatewayError('invalid-resource', {
    detail: {
      zh: `schemas 目录有 ${errors.length} 处错误，未生效；现有类型继续有效。`,
      en: `The folder schemas has ${errors.length} faults and was not taken over; the types in force stay.`,
    },
    errors,
  });
}
