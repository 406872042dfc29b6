import { parseNote } from '../log/checkpoint.ts';
import { cosignNote } from '../log/cosignature.ts';
import type { Hash } from '../log/merkle.ts';
import { decodeBase64url } from '../std/base64.ts';
import { type Clock, systemClock } from '../std/clock.ts';
import { ShenbaoError } from './errors.ts';
import { importSigningKey, type Jwk } from './keys.ts';
import { sha256 } from './sha256.ts';

/**
 * Signs a checkpoint (signed note) as its office and returns the signature line, without its newline. Sign only what was
 * verified: that the whole log up to there is yours. Made by {@link cosigner}; or by you, over a smart card or an HSM.
 */
export type Cosigner = (checkpoint: string) => Promise<string>;

/** Whether a private key can cosign: only Ed25519 keys can. */
export function canCosign(key: Jwk): boolean {
  return key.kty === 'OKP' && key.crv === 'Ed25519' && key.d !== undefined;
}

/** Cosigns with a private Ed25519 key of the office (C2SP tlog-cosignature). Throws a TypeError for other keys. */
export async function cosigner(
  key: Jwk,
  options: { readonly clock?: Clock; readonly hash?: Hash } = {},
): Promise<Cosigner> {
  const { clock = systemClock, hash = sha256 } = options;
  const publicKey = canCosign(key) ? decodeBase64url(key.x ?? '') : undefined;
  if (publicKey?.length !== 32) throw new TypeError('only a private Ed25519 key can cosign');
  const { sign } = await importSigningKey(key);
  return async (checkpoint) => {
    const origin = parseNote(checkpoint)?.text.split('\n', 1)[0] ?? '';
    const time = Math.floor(clock.now() / 1000);
    const line = await cosignNote(hash, { note: checkpoint, origin, time, key: { publicKey, sign } });
    if (line === undefined) throw new ShenbaoError('verification-failed', 'what is to be cosigned is not a checkpoint');
    return line;
  };
}
