import { covers, isInForce } from '../identity/mandates.ts';
import type { Directory, Office, Party } from '../identity/records.ts';
import type { Reader } from '../ingest/read.ts';
import type { PlainDate } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';

/** Which of a filer's types someone may know of. */
export interface FilerView {
  readonly filer: Party;
  /** Of one office only. */
  readonly office?: string;
  maySee(type: string): boolean;
}

/**
 * The filer itself, an agent by its mandates of today, and an office that the filer was ever registered in, of what is filed
 * with it. For anyone else there is no such filer.
 */
export async function viewFiler(
  directory: Pick<Directory, 'party' | 'mandates'>,
  reader: Reader,
  filerId: string,
  today: PlainDate,
): Promise<FilerView> {
  const filer = await directory.party(filerId);
  if (filer?.kind !== 'filer') throw new GatewayError('not-found');
  if (reader.role === 'filer' && reader.party === filer.id) return { filer, maySee: () => true };
  if (reader.role === 'office' && filer.registrations.some(({ office }) => office === reader.party))
    return { filer, office: reader.party, maySee: () => true };
  if (reader.role === 'agent') {
    const mandates = await directory.mandates(reader.party, filer.id);
    if (mandates.some((mandate) => isInForce(mandate, today)))
      return { filer, maySee: (type) => mandates.some((mandate) => covers(mandate, type, today)) };
  }
  throw new GatewayError('not-found');
}

/** The offices of a filer's registrations of any time, by code. */
export async function officesOf(
  directory: Pick<Directory, 'office'>,
  { registrations }: Party,
): Promise<Map<string, Office>> {
  const offices = new Map<string, Office>();
  for (const { office: code } of registrations) {
    const office = await directory.office(code);
    if (office !== undefined) offices.set(code, office);
  }
  return offices;
}
