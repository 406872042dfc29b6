import { Type } from 'typebox';
import type { Directory } from '../../identity/records.ts';
import { signedConsistency } from '../../log/consistency.ts';
import type { LogContext } from '../../log/context.ts';
import { toBase64url } from '../../std/bytes.ts';
import { type Route, route } from '../route.ts';
import { requireOwnOrOperator } from './office-access.ts';

export interface ConsistencyDeps extends LogContext {
  readonly directory: Pick<Directory, 'office'>;
}

const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

const ConsistencyParams = Type.Object({
  office: Type.String({ minLength: 1, maxLength: 32, description: "The office's code." }),
});

const ConsistencyQuery = Type.Object({
  from: Type.Integer({ ...Size, description: 'Size of the earlier checkpoint, 1 or more.' }),
  to: Type.Optional(
    Type.Integer({ ...Size, description: 'Size of the later one; the newest checkpoint unless said.' }),
  ),
});

const ConsistencyBody = Type.Object({
  from: Size,
  to: Size,
  path: Type.Array(Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }), {
    description: 'RFC 6962 consistency proof (section 2.1.2), base64url. Empty when from is to.',
  }),
  checkpoint: Type.String({ description: 'C2SP signed note over exactly the first `to` entries.' }),
});

export function consistencyRoute(deps: ConsistencyDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/offices/{office}/consistency',
    operationId: 'getConsistency',
    tag: 'offices',
    summary: {
      zh: '证明机关日志的后一检查点由前一检查点延续而来',
      en: "Proof that a later checkpoint of an office's log extends an earlier one",
    },
    access: ['office', 'operator'],
    params: ConsistencyParams,
    query: ConsistencyQuery,
    responses: {
      200: {
        description: 'The proof, and the checkpoint that it leads to. `from` <= `to` <= the newest checkpoint.',
        media: { 'application/json': ConsistencyBody },
      },
    },
    errors: ['not-found', 'invalid-parameter'],
    handle: async ({ params, query, caller }) => {
      await requireOwnOrOperator(deps.directory, caller, params.office);
      const proof = await signedConsistency(deps, { office: params.office, from: query.from, to: query.to });
      return Response.json({ ...proof, path: proof.path.map(toBase64url) });
    },
  });
}
