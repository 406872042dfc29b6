import { verify } from 'node:crypto';
import { parseNote } from '../log/checkpoint.ts';
import { cosignedMessage, cosignerName, namesKey, parseCosignature } from '../log/cosignature.ts';
import { sha256 } from '../std/bytes.ts';
import { parseInstant } from '../std/clock.ts';
import type { Text } from '../std/text.ts';
import { type AuditedCosignature, readCosignatures } from '../storage/audit-logs.ts';
import type { TransactionSql } from '../storage/db.ts';
import type { LogKey } from '../storage/log.ts';
import { finding, type Report } from './findings.ts';
import { FilerKeys } from './signatures.ts';

const AT_ONCE = 500;
/** By how much the clocks of office and gateway may differ: the gateway judges the key by its own. */
const SKEW_MS = 5 * 60_000;

/** Every cosignature is over the checkpoint of its size, by a key of the office that was in force. */
export async function auditCosignatures(
  { tx, report }: { readonly tx: TransactionSql; readonly report: Report },
  key: LogKey,
): Promise<void> {
  const keys = new FilerKeys();
  let after = { size: -1, kid: '' };
  for (;;) {
    const rows = await readCosignatures(tx, key, after, AT_ONCE);
    for (const row of rows) {
      const fault = faultOf(row, key.office, keys);
      if (fault === undefined) continue;
      const place = { office: key.office, row: `cosignature ${key.office}@${row.size} ${row.kid}` };
      report(finding('cosignature', place, fault.zh, fault.en));
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < AT_ONCE) return;
    after = { size: last.size, kid: last.kid };
  }
}

function faultOf(row: AuditedCosignature, office: string, keys: FilerKeys): Text | undefined {
  const { kid, alg, jwk } = row;
  const cosignature = parseCosignature(row.line);
  if (cosignature === undefined) return words('不是会签的签名行', 'it is no signature line of a cosignature');
  if (row.note === null) return words('没有该份数的检查点', 'there is no checkpoint of this size');
  if (alg === null || jwk === null) return words('密钥没有登记', 'the key is not registered');
  if (row.party !== office) return words('密钥不属于该机关', 'the key is not one of the office');
  const publicKey = alg === 'EdDSA' ? keys.publicKey(kid, { alg, jwk }) : undefined;
  if (publicKey === undefined)
    return words('登记的公钥与其编号不符', 'the registered key is not the one that its id names');
  const time = cosignature.time * 1000;
  if (parseInstant(row.cosigned_at) !== time) return words('时间不是所签的', 'the time is not the one that was signed');
  if (!isInForce(row, time)) return words('会签时密钥不在有效期内', 'the key was not in force at that time');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const raw = { publicKey: Buffer.from(x, 'base64url') };
  const isSigned = textsOf(row.note, cosignature.name).some((text) =>
    verify(null, cosignedMessage(text, cosignature.time), publicKey, cosignature.signature),
  );
  if (!namesKey(sha256, cosignature, raw) || !isSigned)
    return words('会签不是对该检查点的', 'it is not over the checkpoint of its size');
  return undefined;
}

/**
 * What the cosigner may have been shown: the checkpoint as it stands, or before it was signed again, because the gateway's
 * URL changed or a recovery added a line to it.
 */
function textsOf(note: string, name: string): string[] {
  const [, size = '', root = '', ...extensions] = (parseNote(note)?.text ?? '').split('\n').slice(0, -1);
  const origin = name.slice(0, -cosignerName('').length);
  if (name !== cosignerName(origin)) return [];
  return [...extensions.keys(), extensions.length].map((count) =>
    [origin, size, root, ...extensions.slice(0, count)].map((line) => `${line}\n`).join(''),
  );
}

function isInForce(row: AuditedCosignature, time: number): boolean {
  const bound = (text: string | null, open: number): number =>
    text === null ? open : (parseInstant(text) ?? Number.NaN);
  const begins = bound(row.not_before, Number.NEGATIVE_INFINITY);
  const ends = Math.min(
    bound(row.not_after, Number.POSITIVE_INFINITY),
    bound(row.revoked_at, Number.POSITIVE_INFINITY),
  );
  return begins <= time + SKEW_MS && time - SKEW_MS <= ends;
}

function words(zh: string, en: string): Text {
  return { zh, en };
}
