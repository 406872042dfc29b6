import type { KeyObject } from 'node:crypto';
import { importJwk, publicKeyOf } from '../identity/jwk.ts';
import { verifySignature } from '../identity/jws.ts';
import type { SignatureAlgorithm } from '../identity/records.ts';
import { SIGNATURE_ALGORITHMS } from '../identity/records.ts';
import type { Text } from '../std/text.ts';
import type { KeyColumns } from '../storage/audit-copies.ts';
import type { CopyRow } from '../storage/copy-binary.ts';
import type { JwsParts } from './content.ts';

/** A row of `party_key`. Times in milliseconds; NaN where one is damaged. */
export interface KeyFacts {
  readonly alg: string;
  /** JSON. */
  readonly jwk: string;
  readonly notBefore: number | undefined;
  readonly notAfter: number | undefined;
  readonly revokedAt: number | undefined;
}

/** The key that a row was joined with; undefined: there is none. */
export function keyFacts(source: CopyRow, columns: KeyColumns): KeyFacts | undefined {
  if (source.isNull(columns.alg)) return undefined;
  const at = (column: number): number | undefined => (source.isNull(column) ? undefined : source.instant(column));
  return {
    alg: source.string(columns.alg, 'utf8'),
    jwk: source.string(columns.jwk, 'utf8'),
    notBefore: at(columns.notBefore),
    notAfter: at(columns.notAfter),
    revokedAt: at(columns.revokedAt),
  };
}

/**
 * How much later than a key's end, or earlier than its beginning, a filing's time of receipt may be: another process than the
 * one that revoked goes by the key for up to 5 s more, and takes the time of receipt from its own clock, or from that of the
 * process before it when that one is ahead.
 */
const GRACE_MS = 10_000;

/** Keys that are kept ready to verify with. Making one of P-256 takes as long as half a verification. */
const KEYS_KEPT = 20_000;

/** Filers' and offices' keys, checked against the id that they are registered under. */
export class FilerKeys {
  readonly #keys = new Map<string, KeyObject | undefined>();

  /** Why the key may not have signed at that time; undefined when it may. */
  fault(kid: string, key: KeyFacts | undefined, at: number): Text | undefined {
    if (key === undefined) return { zh: '签名密钥没有登记', en: 'the signing key is not registered' };
    if (this.publicKey(kid, key) === undefined)
      return { zh: '登记的公钥与其编号不符', en: 'the registered key is not the one that its id names' };
    const { notBefore, notAfter, revokedAt } = key;
    if (revokedAt !== undefined && !(at < revokedAt + GRACE_MS))
      return { zh: '受理时密钥已被吊销', en: 'the key was revoked before the filing was received' };
    const isTooEarly = notBefore !== undefined && !(at >= notBefore - GRACE_MS);
    if (isTooEarly || (notAfter !== undefined && !(at <= notAfter + GRACE_MS)))
      return { zh: '受理时密钥不在有效期内', en: 'the key was not in force when the filing was received' };
    return undefined;
  }

  /** Undefined when the JWK is not the key of that id and algorithm. */
  publicKey(kid: string, { alg, jwk }: Pick<KeyFacts, 'alg' | 'jwk'>): KeyObject | undefined {
    const name = `${kid} ${alg} ${jwk}`;
    if (this.#keys.has(name)) return this.#keys.get(name);
    const key = readKey(kid, alg, jwk);
    if (this.#keys.size >= KEYS_KEPT) this.#keys.clear();
    this.#keys.set(name, key);
    return key;
  }

  /** The header names the key's algorithm, and the signature holds. */
  isSigned(kid: string, key: KeyFacts, claimed: string, parts: JwsParts): boolean {
    const publicKey = this.publicKey(kid, key);
    const alg = SIGNATURE_ALGORITHMS.find((each) => each === key.alg);
    if (publicKey === undefined || alg === undefined || claimed !== alg) return false;
    const input = Buffer.from(`${parts.header}.${parts.payload}`, 'latin1');
    return verifySignature(alg, publicKey, input, Buffer.from(parts.signature, 'base64url'));
  }
}

function readKey(kid: string, alg: string, jwk: string): KeyObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(jwk);
  } catch {
    return undefined;
  }
  const imported = importJwk(value);
  if (!imported.ok || imported.jwk.kid !== kid || imported.jwk.alg !== (alg as SignatureAlgorithm)) return undefined;
  return publicKeyOf(imported.jwk);
}
