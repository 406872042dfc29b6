import { type KeyObject, verify } from 'node:crypto';
import { importJwk, publicKeyOf } from '../identity/jwk.ts';
import { ed25519KeyId, parseNote, parseTreeHead, type TreeHead } from '../log/checkpoint.ts';
import { sameBytes } from '../log/merkle.ts';
import { sha256 } from '../std/bytes.ts';
import type { TransactionSql } from '../storage/db.ts';
import { selectGatewayKeys } from '../storage/oauth.ts';
import { finding, type Report } from './findings.ts';

interface GatewayKey {
  readonly publicKey: KeyObject;
  /** 32 bytes. */
  readonly raw: Buffer;
}

/** The keys that the gateway has ever signed with. */
export class GatewayKeySet {
  readonly #keys = new Map<string, GatewayKey>();
  /** Key ids by name and key. */
  readonly #ids = new Map<string, Uint8Array>();

  /** Reads the keys; each must be the one that its id names. */
  static async read(tx: TransactionSql, report: Report): Promise<GatewayKeySet> {
    const set = new GatewayKeySet();
    for (const { kid, jwk } of await selectGatewayKeys(tx)) {
      const imported = importJwk(jwk);
      const isRight = imported.ok && imported.jwk.kid === kid && imported.jwk.kty === 'OKP';
      if (isRight && hasSameMembers(jwk, imported.jwk))
        set.#keys.set(kid, {
          publicKey: publicKeyOf(imported.jwk),
          raw: Buffer.from(imported.jwk.x ?? '', 'base64url'),
        });
      else
        report(
          finding(
            'gateway-key',
            { row: `gateway_key ${kid}` },
            '公钥与其编号不符',
            'the key does not have this thumbprint',
          ),
        );
    }
    return set;
  }

  verify(kid: unknown, data: Buffer, signature: Buffer): boolean {
    const key = typeof kid === 'string' ? this.#keys.get(kid) : undefined;
    return key !== undefined && signature.length === 64 && verify(null, data, key.publicKey, signature);
  }

  /**
   * What a checkpoint says, once a key of the gateway's has signed it under the name of its origin; undefined otherwise. A
   * signature by an unknown key, such as an office's, is passed over.
   */
  open(note: string): TreeHead | undefined {
    const parsed = parseNote(note);
    const head = parsed === undefined ? undefined : parseTreeHead(parsed.text);
    if (parsed === undefined || head === undefined) return undefined;
    const data = Buffer.from(parsed.text);
    let isSigned = false;
    for (const { name, keyId, signature } of parsed.signatures) {
      if (name !== head.origin) continue;
      for (const [kid, key] of this.#keys) {
        if (!sameBytes(this.#idOf(name, kid, key), keyId)) continue;
        if (signature.length !== 64 || !verify(null, data, key.publicKey, signature)) return undefined;
        isSigned = true;
      }
    }
    return isSigned ? head : undefined;
  }

  #idOf(name: string, kid: string, key: GatewayKey): Uint8Array {
    const found = this.#ids.get(`${name} ${kid}`);
    if (found !== undefined) return found;
    const id = ed25519KeyId(sha256, name, key.raw);
    this.#ids.set(`${name} ${kid}`, id);
    return id;
  }
}

/** Besides what its thumbprint covers: a member that was altered, or that nobody put there. */
function hasSameMembers(stored: unknown, imported: object): boolean {
  if (typeof stored !== 'object' || stored === null) return false;
  return Object.entries(stored).every(([name, value]) => name === 'use' || Reflect.get(imported, name) === value);
}
