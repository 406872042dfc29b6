import type { GatewayError } from '../std/errors.ts';
import type { Database } from '../storage/db.ts';
import {
  selectKeys,
  selectKeysOf,
  selectMandates,
  selectOffices,
  selectParties,
  selectRegistrations,
} from '../storage/identity.ts';
import { notFound } from './change.ts';
import type { PartyKind } from './records.ts';
import {
  type KeyResource,
  keyResource,
  type MandateResource,
  mandateResource,
  type OfficeResource,
  officeResource,
  type PartyResource,
  partyResource,
  type RegistrationResource,
  registrationsResource,
} from './resources.ts';

// Reading identity. What is somebody else's does not exist, as far as one can tell; an operator sees all.

export interface ReadContext {
  readonly db: Database;
}

/** Who reads. */
export interface Viewer {
  readonly role: PartyKind;
  readonly party: string;
}

/** An office's name and agency are for everybody. */
export async function readOffice(ctx: ReadContext, code: string): Promise<OfficeResource> {
  const [row] = await selectOffices(ctx.db.sql, [code]);
  if (row === undefined) throw nothing();
  return officeResource(row);
}

export async function readParty(ctx: ReadContext, viewer: Viewer, id: string): Promise<PartyResource> {
  const [row] = maySee(viewer, id) ? await selectParties(ctx.db.sql, [id]) : [];
  if (row === undefined) throw nothing();
  return partyResource(row);
}

export async function readKey(ctx: ReadContext, viewer: Viewer, kid: string): Promise<KeyResource> {
  const [row] = await selectKeys(ctx.db.sql, [kid]);
  if (row === undefined || !maySee(viewer, row.party)) throw nothing();
  return keyResource(row);
}

/** A page of a party's keys, in the order of kids. `next` is the cursor of the following page, or null. */
export async function listKeys(
  ctx: ReadContext,
  viewer: Viewer,
  page: { readonly party: string; readonly cursor: string; readonly limit: number },
): Promise<{ readonly items: readonly KeyResource[]; readonly next: string | null }> {
  await readParty(ctx, viewer, page.party);
  const rows = await selectKeysOf(ctx.db.sql, page.party, page.cursor, page.limit + 1);
  const items = rows.slice(0, page.limit).map(keyResource);
  return { items, next: rows.length > page.limit ? (items.at(-1)?.kid ?? null) : null };
}

export async function readRegistrations(
  ctx: ReadContext,
  viewer: Viewer,
  filer: string,
): Promise<RegistrationResource[]> {
  const party = await readParty(ctx, viewer, filer);
  if (party.kind !== 'filer') throw nothing();
  return registrationsResource(await selectRegistrations(ctx.db.sql, [filer]));
}

/** Both sides of a mandate may read it. */
export async function readMandate(ctx: ReadContext, viewer: Viewer, id: string): Promise<MandateResource> {
  const [row] = await selectMandates(ctx.db.sql, [id]);
  if (row === undefined || !(maySee(viewer, row.agent) || maySee(viewer, row.filer))) throw nothing();
  return mandateResource(row);
}

function maySee(viewer: Viewer, party: string): boolean {
  return viewer.role === 'operator' || viewer.party === party;
}

function nothing(): GatewayError {
  return notFound('没有此资源。', 'There is no such resource.');
}
