import { importJwk, publicKeyOf } from '../identity/jwk.ts';
import { isSignedBy, parseCompactJws } from '../identity/jws.ts';
import { SIGNATURE_ALGORITHMS } from '../identity/records.ts';
import { sha256, toBase64url } from '../std/bytes.ts';
import { canonicalJson } from '../std/canonical.ts';
import { parseInstant } from '../std/clock.ts';
import type { Text } from '../std/text.ts';
import {
  type AuditedKey,
  type AuditedMandate,
  readKeyOf,
  readPartyKeys,
  readSignedMandates,
} from '../storage/audit-logs.ts';
import type { TransactionSql } from '../storage/db.ts';
import { finding, type Report } from './findings.ts';

const AT_ONCE = 1_000;

export interface IdentityContext {
  readonly tx: TransactionSql;
  readonly report: Report;
  readonly onRows: (rows: number) => void;
}

/** Every registered key is the one that its id, a thumbprint, names. */
export async function auditPartyKeys({ tx, report, onRows }: IdentityContext): Promise<void> {
  for (let after = ''; ; ) {
    const rows = await readPartyKeys(tx, after, AT_ONCE);
    for (const row of rows) {
      if (!isNamed(row))
        report(
          finding(
            'party-key',
            { row: `party_key ${row.kid}` },
            '公钥与其编号不符',
            'the key does not have this thumbprint',
          ),
        );
    }
    onRows(rows.length);
    const last = rows[AT_ONCE - 1];
    if (last === undefined) return;
    after = last.kid;
  }
}

/** Members of the thumbprint by key type (RFC 7638). */
const THUMBPRINT: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/** Without making a key of it: there are as many as filers. */
function isNamed({ kid, alg, jwk }: AuditedKey): boolean {
  const members = JSON.parse(jwk) as Readonly<Record<string, unknown>> | null;
  const names = THUMBPRINT[String(members?.kty)];
  if (members === null || names === undefined || members.kid !== kid || members.alg !== alg) return false;
  if (Object.keys(members).length !== names.length + 2) return false;
  const values = names.map((name) => [name, members[name]] as const);
  if (!values.every(([, value]) => typeof value === 'string')) return false;
  return toBase64url(sha256(canonicalJson(Object.fromEntries(values) as Record<string, string>))) === kid;
}

/** Every mandate that its filer signed says what was signed, but that it may end earlier. */
export async function auditMandates({ tx, report, onRows }: IdentityContext): Promise<void> {
  for (let after = ''; ; ) {
    const rows = await readSignedMandates(tx, after, AT_ONCE);
    for (const row of rows) {
      const fault = await mandateFault(tx, row);
      if (fault !== undefined) report(finding('mandate', { row: `mandate ${row.id}` }, fault.zh, fault.en));
    }
    onRows(rows.length);
    const last = rows[AT_ONCE - 1];
    if (last === undefined) return;
    after = last.id;
  }
}

async function mandateFault(tx: TransactionSql, row: AuditedMandate): Promise<Text | undefined> {
  const jws = parseCompactJws(row.jws);
  if (jws === undefined || jws.header.typ !== 'mandate+jws')
    return { zh: '不是签名的委托', en: 'it is no signed mandate' };
  const kid = typeof jws.header.kid === 'string' ? jws.header.kid : '';
  const key = await readKeyOf(tx, kid);
  const imported = key === undefined ? undefined : importJwk(JSON.parse(key.jwk));
  const alg = SIGNATURE_ALGORITHMS.find((each) => each === key?.alg);
  if (key === undefined || alg === undefined || imported?.ok !== true || imported.jwk.kid !== kid)
    return { zh: '签名密钥没有登记', en: 'the signing key is not registered' };
  if (!isSignedBy(jws, { alg, publicKey: publicKeyOf(imported.jwk) }))
    return { zh: '签名不成立', en: 'the signature does not hold' };
  const { claims } = jws;
  const { to } = claims;
  const isEndedEarlier = row.valid_to !== null && (to === undefined || (typeof to === 'string' && row.valid_to < to));
  const isSame =
    claims.id === row.id &&
    claims.agent === row.agent &&
    claims.filer === row.filer &&
    key.party === row.filer &&
    JSON.stringify(claims.types) === JSON.stringify(row.types) &&
    claims.from === row.valid_from &&
    (isEndedEarlier || (to ?? null) === row.valid_to) &&
    Number(claims.iat) * 1000 === parseInstant(row.signed_at ?? '');
  return isSame ? undefined : { zh: '本行与所签的委托不一致', en: 'the row does not say what was signed' };
}
