import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import { generateKeyPair } from '../std/key-pair.ts';
import type { RandomBytes } from '../std/telemetry.ts';
import { importJwk, type PublicJwk, publicKeyOf } from './jwk.ts';

/** A private key as it is kept in a file: a JWK with `kid` and `alg`, and `sub` when it is a party's. */
export interface PrivateJwk extends PublicJwk {
  readonly d: string;
  /** The party's id, which is its OAuth client id. */
  readonly sub?: string;
}

export interface KeyFile {
  readonly path: string;
  readonly jwk: PrivateJwk;
  readonly publicJwk: PublicJwk;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** A new private key, `kid` and `alg` included. */
export function generatePrivateJwk(alg: 'ES256' | 'EdDSA', sub?: string): PrivateJwk {
  const { privateKey } = alg === 'ES256' ? generateKeyPair('P-256') : generateKeyPair('Ed25519');
  const { d, ...members } = privateKey.export({ format: 'jwk' });
  const imported = importJwk({ ...members, alg });
  if (!imported.ok || d === undefined) throw new Error('a generated key could not be read back');
  return { ...imported.jwk, d, ...(sub === undefined ? {} : { sub }) };
}

/**
 * Reads the key in `file`, or makes one there, mode 0600, when there is none. Any number of processes may do this at once: all
 * get the same key, and none ever reads half a file, because the file appears under its name complete and on disk.
 */
export async function loadOrCreateKeyFile(file: string, make: () => PrivateJwk, random: RandomBytes): Promise<KeyFile> {
  const standing = await readKeyFile(file);
  if (standing !== undefined) return standing;
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${random(8).toString('hex')}`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(make(), null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Unlike a rename, a link does not replace what another process has put there meanwhile.
    await link(draft, file).catch(ignore('EEXIST'));
  } finally {
    await unlink(draft).catch(ignore('ENOENT'));
  }
  const made = await readKeyFile(file);
  if (made === undefined) throw new Error(`the key file ${file} vanished while it was made`);
  return made;
}

/** Undefined when there is no such file; throws, naming the file, when it holds no usable private key. */
async function readKeyFile(file: string): Promise<KeyFile | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  return { path: file, ...parsePrivateJwk(text, file) };
}

function parsePrivateJwk(text: string, file: string): Omit<KeyFile, 'path'> {
  let jwk: PrivateJwk;
  try {
    jwk = JSON.parse(text) as PrivateJwk;
  } catch {
    throw new Error(`${file} is not JSON: it should hold one private JWK`);
  }
  const { d, sub, ...members } = jwk;
  const imported = importJwk(members);
  if (!imported.ok)
    throw new Error(`${file} holds no usable key: ${imported.fault.member} ${imported.fault.reason.en}`);
  if (typeof d !== 'string') throw new Error(`${file} holds a public key only: the private member d is missing`);
  const full: PrivateJwk = { ...imported.jwk, d, ...(sub === undefined ? {} : { sub }) };
  const privateKey = createPrivateKey({ key: full as unknown as JsonWebKey, format: 'jwk' });
  return { jwk: full, publicJwk: imported.jwk, privateKey, publicKey: publicKeyOf(imported.jwk) };
}

function ignore(code: string): (error: unknown) => void {
  return (error) => {
    if (!hasCode(error, code)) throw error;
  };
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
