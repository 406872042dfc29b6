import { formatInstant } from '../std/clock.ts';
import { copyManifests, copyTicks, type IdRange, MANIFEST, MANIFEST_KEY, TICK } from '../storage/audit-copies.ts';
import type { CopyRow } from '../storage/copy-binary.ts';
import type { TransactionSql } from '../storage/db.ts';
import { headerOf, jsonMembers, jwsParts } from './content.ts';
import { type FindingKind, finding, type Report } from './findings.ts';
import type { GatewayKeySet } from './gateway-keys.ts';
import { FilerKeys, keyFacts } from './signatures.ts';
import { HASH_BYTES, rootOf } from './tree.ts';

export interface TickContext {
  readonly tx: TransactionSql;
  readonly keys: GatewayKeySet;
  readonly report: Report;
  readonly onRows: (rows: number) => void;
}

const TELL_ROWS = 512;

/** Every tick's leaves have the root that the gateway signed, at the time that the row has. */
export async function auditTicks(ctx: TickContext, range: IdRange): Promise<void> {
  let untold = 0;
  await copyTicks(ctx.tx, range, (source) => {
    checkTick(ctx, source, range.lane);
    if (++untold < TELL_ROWS) return;
    ctx.onRows(untold);
    untold = 0;
  });
  ctx.onRows(untold);
}

function checkTick({ keys, report }: TickContext, source: CopyRow, lane: number): void {
  const say = (kind: FindingKind, zh: string, en: string): void =>
    report(finding(kind, { row: `tick ${lane}/${source.uuid(TICK.id)}` }, zh, en));
  const parts = jwsParts(source.string(TICK.signature, 'utf8'));
  const header = parts && jsonMembers(parts.header);
  const isSigned =
    parts !== undefined &&
    header?.alg === 'EdDSA' &&
    header.typ === 'tick+jws' &&
    keys.verify(
      header.kid,
      Buffer.from(`${parts.header}.${parts.payload}`, 'latin1'),
      Buffer.from(parts.signature, 'base64url'),
    );
  if (!isSigned) say('tick-signature', '没有网关的有效签名', 'it has no valid signature of the gateway');
  const { root, treeSize, at } = (parts && jsonMembers(parts.payload)) ?? {};
  const leaves = source.bytes(TICK.leaves);
  const isWhole = leaves.length > 0 && leaves.length % HASH_BYTES === 0;
  if (!isWhole || treeSize !== leaves.length / HASH_BYTES || root !== rootOf(leaves).toString('base64url'))
    say('tick-root', '叶的根或数目不是所签的', 'root or number of the leaves are not those that were signed');
  const time = source.instant(TICK.at);
  if (Number.isNaN(time) || at !== formatInstant(time))
    say('tick-root', '时间不是所签的', 'the time is not the one that was signed');
}

export interface ManifestContext extends Omit<TickContext, 'keys'> {
  readonly signatures: boolean;
}

/**
 * Every manifest's leaves have the root and the count that the filer signed; with `signatures`, that a registered key signed
 * them when their first line was received. The lines themselves are checked with their filings.
 */
export async function auditManifests(ctx: ManifestContext, lane: number): Promise<void> {
  const filers = new FilerKeys();
  await copyManifests(ctx.tx, lane, ctx.signatures, (source) => {
    checkManifest(ctx, filers, source, lane);
    ctx.onRows(1);
  });
}

function checkManifest(
  { report, signatures }: ManifestContext,
  filers: FilerKeys,
  source: CopyRow,
  lane: number,
): void {
  const say = (kind: FindingKind, zh: string, en: string): void =>
    report(finding(kind, { row: `manifest ${lane}/${source.uuid(MANIFEST.id)}` }, zh, en));
  const parts = jwsParts(source.string(MANIFEST.jws, 'utf8'));
  const { root, count } = (parts && jsonMembers(parts.payload)) ?? {};
  const leaves = source.bytes(MANIFEST.leaves);
  const isWhole = leaves.length > 0 && leaves.length % HASH_BYTES === 0;
  if (!isWhole || count !== leaves.length / HASH_BYTES || root !== rootOf(leaves).toString('base64url'))
    say('manifest-root', '叶的根或数目不是所签的', 'root or number of the leaves are not those that were signed');
  if (source.isNull(MANIFEST.kid)) {
    say('manifest', '没有申报属于它', 'no filing belongs to it');
    return;
  }
  if (!signatures) return;
  const kid = source.string(MANIFEST.kid, 'utf8');
  const key = keyFacts(source, MANIFEST_KEY);
  const header = parts && headerOf(parts.header);
  const isSigned = parts !== undefined && header?.kid === kid && key !== undefined;
  if (!isSigned || !filers.isSigned(kid, key, header.alg, parts))
    say('signature', '签名与登记的密钥不符', 'the signature does not hold under the registered key');
}
