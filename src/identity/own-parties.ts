import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GatewayError } from '../std/errors.ts';
import type { Logger } from '../std/telemetry.ts';
import { selectKeys } from '../storage/identity.ts';
import { keyChange } from './add-key.ts';
import { applyChanges, type Change, type IdentityContext } from './change.ts';
import { generatePrivateJwk, type KeyFile, loadOrCreateKeyFile } from './key-files.ts';
import { partyChange } from './put-party.ts';
import type { KeyMakingContext } from './signer.ts';
import type { IdentityState } from './state.ts';

export type OwnPartiesContext = IdentityContext & KeyMakingContext & { readonly log: Logger };

/** The operator that the first start makes. */
const OPERATOR = 'operator';

/**
 * The operator's key in `DATA_DIR/operator.jwk`, made when there is none and registered for the party `operator`. A key that was
 * revoked stays revoked: delete the file for a new one.
 */
export async function ensureOperator(ctx: OwnPartiesContext): Promise<KeyFile> {
  const file = await loadOrCreateKeyFile(
    path.join(ctx.dataDir, 'operator.jwk'),
    () => generatePrivateJwk('ES256', OPERATOR),
    ctx.random,
  );
  const sub = file.jwk.sub ?? OPERATOR;
  const work = () =>
    applyAll(ctx, [
      unlessThere(
        partyChange({ id: sub, kind: 'operator', name: OPERATOR }),
        (state) => state.party(sub) !== undefined,
      ),
      keyChange({ party: sub, jwk: file.publicJwk }),
    ]);
  await recordIfNew(ctx, 'enterOperatorKey', [file], work);
  return file;
}

/** Enters in the audit trail what is done about keys, unless all of them are known: it then changes nothing. */
export async function recordIfNew(
  { db, record }: OwnPartiesContext,
  action: string,
  files: readonly KeyFile[],
  work: () => Promise<void>,
): Promise<void> {
  const kids = files.map(({ publicJwk }) => publicJwk.kid);
  const isKnown = (await selectKeys(db.sql, kids)).length === kids.length;
  if (isKnown || record === undefined) await work();
  else await record({ action, target: kids.length === 1 ? (kids[0] ?? '-') : '-' }, work);
}

/** The operator whose key lies in the data folder; `-` where there is none that can be read. */
export function operatorIn(dataDir: string): string {
  try {
    const { sub } = JSON.parse(readFileSync(path.join(dataDir, 'operator.jwk'), 'utf8')) as { readonly sub?: unknown };
    return typeof sub === 'string' ? sub : '-';
  } catch {
    // What is wrong with the file is said where the key is needed, and without its content.
    return '-';
  }
}

/** Leaves alone what stands, so that what an operator has changed since is not set back by a restart. */
export function unlessThere(change: Change<unknown>, isThere: (state: IdentityState) => boolean): Change<unknown> {
  return {
    needs: change.needs,
    apply: (state) => (isThere(state) ? { created: false, resource: undefined } : change.apply(state)),
  };
}

/** Applies what the gateway sets up itself. What is refused (a key that was revoked) is told, and no reason not to start. */
export async function applyAll(ctx: OwnPartiesContext, changes: readonly Change<unknown>[]): Promise<void> {
  const results = await applyChanges(ctx, changes);
  results.forEach((result, i) => {
    if (result instanceof GatewayError)
      ctx.log.warn({ change: i, code: result.code }, `own identity not set up: ${result.message}`);
  });
}
