import type { Directory } from '../../identity/records.ts';
import { GatewayError } from '../../std/errors.ts';
import type { Caller } from '../route.ts';

/** Another office's log does not exist, as far as an office can tell. */
export function requireOwn(caller: Caller, office: string): void {
  if (caller.role !== 'office' || caller.party !== office) throw new GatewayError('not-found');
}

/** An operator may look after any office that exists. */
export async function requireOwnOrOperator(
  directory: Pick<Directory, 'office'>,
  caller: Caller,
  office: string,
): Promise<void> {
  if (caller.role !== 'operator') requireOwn(caller, office);
  else if ((await directory.office(office)) === undefined) throw new GatewayError('not-found');
}
