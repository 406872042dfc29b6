import { fromBase64url } from '../std/bytes.ts';
import type { Text } from '../std/text.ts';
import { type FollowedFiling, getFiling, type ReadContext, type Reader } from './read.ts';

/** A filing with what a person wants to read instead of codes. */
export interface PrintableFiling {
  readonly filing: FollowedFiling;
  /** The code stands for a name that is not there any more. */
  readonly filerName: string | undefined;
  readonly officeName: Text | undefined;
  readonly typeTitle: Text | undefined;
  /** The key of the cosignature: 32 bytes. */
  readonly cosigner: Buffer | undefined;
}

export async function getPrintable(ctx: ReadContext, reader: Reader, id: string): Promise<PrintableFiling> {
  const filing = await getFiling(ctx, reader, id);
  const kid = filing.delivery?.cosignature?.kid;
  const [filer, office, key] = await Promise.all([
    ctx.directory.party(filing.filer),
    ctx.directory.office(filing.office),
    kid === undefined ? undefined : ctx.directory.key(kid),
  ]);
  const { x } = key?.publicKey.export({ format: 'jwk' }) ?? {};
  return {
    filing,
    filerName: filer?.name,
    officeName: office?.name,
    typeTitle: ctx.catalogue().types.get(filing.type)?.metadata.title,
    cosigner: x === undefined ? undefined : fromBase64url(x),
  };
}
