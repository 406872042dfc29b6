import { verify } from 'node:crypto';
import { filingId } from '../domain/filing.ts';
import type { Directory } from '../identity/records.ts';
import { cosignerName, parseCosignature, verifyCosignature } from '../log/cosignature.ts';
import { sha256 } from '../std/bytes.ts';
import { formatInstant } from '../std/clock.ts';
import { type DeliveryRow, readDeliveries } from '../storage/cosignatures.ts';
import type { Database } from '../storage/db.ts';
import type { FilingPosition } from '../storage/standing.ts';

/** That the office has a filing, proved by a root over its log that covers it. */
export interface Delivery {
  /** When a consumer of the office first acknowledged a batch that covers it. */
  readonly at: string;
  /** Entries that it acknowledged: every index below. */
  readonly size: number;
  readonly cosignature?: DeliveryCosignature;
}

/** The office's own signature over a checkpoint that covers the filing. */
export interface DeliveryCosignature {
  /** The office's key: the RFC 7638 thumbprint. */
  readonly kid: string;
  /** When it was made, as the office says; whole seconds. */
  readonly at: string;
  /** Entries under the checkpoint; the smallest that was cosigned and covers the filing. */
  readonly size: number;
  /** The signed note, with the gateway's line and the office's. */
  readonly checkpoint: string;
}

interface DeliveryContext {
  readonly db: Pick<Database, 'sql'>;
  readonly directory: Pick<Directory, 'key'>;
}

type Cosigned = NonNullable<DeliveryRow['cosigned']>;

/** By filing id; those that nobody has acknowledged are left out. One statement for all. */
export async function deliveriesOf(
  ctx: DeliveryContext,
  filings: readonly FilingPosition[],
): Promise<ReadonlyMap<string, Delivery>> {
  if (filings.length === 0) return new Map();
  const rows = await readDeliveries(ctx.db.sql, filings);
  // Filings of a page often lie under the same checkpoint.
  const verified = new Map<string, Promise<DeliveryCosignature | undefined>>();
  const cosignatureOf = (cosigned: Cosigned): Promise<DeliveryCosignature | undefined> => {
    const known = verified.get(cosigned.line) ?? verifiedCosignature(ctx, cosigned);
    verified.set(cosigned.line, known);
    return known;
  };
  const entries = rows.map(async ({ office, index, at, size, cosigned }): Promise<[string, Delivery]> => {
    const cosignature = cosigned && (await cosignatureOf(cosigned));
    const delivery = { at: formatInstant(at), size, ...(cosignature === undefined ? {} : { cosignature }) };
    return [filingId(office, index), delivery];
  });
  return new Map(await Promise.all(entries));
}

/**
 * Verified before it leaves. One that does not hold any more is left out: when the gateway's public URL has changed, the
 * checkpoint was signed again under the log's new name, which is not what the office had signed.
 */
async function verifiedCosignature(
  { directory }: DeliveryContext,
  { kid, size, line, note, cosignedAt }: Cosigned,
): Promise<DeliveryCosignature | undefined> {
  const origin = note.slice(0, note.indexOf('\n'));
  const cosignature = parseCosignature(line);
  const registered = await directory.key(kid);
  if (cosignature?.name !== cosignerName(origin) || registered === undefined) return undefined;
  const { publicKey } = registered;
  const { x } = publicKey.export({ format: 'jwk' });
  const key = {
    publicKey: Buffer.from(x ?? '', 'base64url'),
    verify: (data: Uint8Array, signature: Uint8Array) => verify(null, data, publicKey, signature),
  };
  if (!(await verifyCosignature(sha256, cosignature, { note, origin, key }))) return undefined;
  return { kid, at: formatInstant(cosignedAt), size, checkpoint: `${note}${line}\n` };
}
