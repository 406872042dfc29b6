import { type KeyObject, sign, verify } from 'node:crypto';
import path from 'node:path';
import { type Clock, formatInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { RandomBytes } from '../std/telemetry.ts';
import type { Database } from '../storage/db.ts';
import { insertGatewayKey, selectGatewayKeys } from '../storage/oauth.ts';
import type { PublicJwk } from './jwk.ts';
import { generatePrivateJwk, type KeyFile, loadOrCreateKeyFile } from './key-files.ts';

/** The gateway's own key: Ed25519. Signs receipts, checkpoints and access tokens. */
export interface Signer {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  readonly publicJwk: PublicJwk;
  readonly publicKey: KeyObject;
  /** The raw signature of 64 bytes. */
  sign(data: Uint8Array): Buffer;
  /** A compact JWS with the header `{ alg, kid, typ }` over the UTF-8 of `payloadText`. */
  signCompact(header: { readonly typ: string }, payloadText: string): string;
}

export interface KeyMakingContext {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Folder of the key files. */
  readonly dataDir: string;
  /** Does what a process does of its own accord so that the audit trail tells of it; absent: it does not. */
  readonly record?: RecordAct;
}

/** `trail/record.ts` has the one. */
export type RecordAct = <T>(
  act: { readonly action: string; readonly target: string },
  work: () => Promise<T>,
) => Promise<T>;

/**
 * The signer on `DATA_DIR/signing.jwk`, which is made when there is none. Its public key is entered among the keys that this
 * gateway has ever signed with before anything is signed; so another file and a restart are a rotation.
 */
export async function openSigner(ctx: KeyMakingContext): Promise<Signer> {
  const file = await loadOrCreateKeyFile(
    path.join(ctx.dataDir, 'signing.jwk'),
    () => generatePrivateJwk('EdDSA'),
    ctx.random,
  );
  if (file.jwk.alg !== 'EdDSA')
    throw new Error(`${file.path} must hold an Ed25519 key: checkpoints are signed with it`);
  const signer = signerOf(file);
  assert(
    verify(null, Buffer.from('probe'), file.publicKey, signer.sign(Buffer.from('probe'))),
    `${file.path}: x is the public key of d`,
  );
  const known = await selectGatewayKeys(ctx.db.sql);
  if (!known.some(({ kid }) => kid === signer.kid)) await enter(ctx, signer);
  return signer;
}

/** From here on the gateway signs with another key than before. */
async function enter({ db, clock, record }: KeyMakingContext, { kid, publicJwk }: Signer): Promise<void> {
  const work = () => insertGatewayKey(db.sql, kid, JSON.stringify(publicJwk), formatInstant(clock.now()));
  await (record === undefined ? work() : record({ action: 'enterGatewayKey', target: kid }, work));
}

function signerOf(file: KeyFile): Signer {
  const { privateKey, publicJwk, publicKey } = file;
  const { kid } = publicJwk;
  /** A header is the same each time: encoded once for each `typ`. */
  const headers = new Map<string, string>();
  const headerOf = (typ: string): string => {
    let header = headers.get(typ);
    if (header === undefined) {
      header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid, typ })).toString('base64url');
      headers.set(typ, header);
    }
    return header;
  };
  return {
    kid,
    publicJwk,
    publicKey,
    sign: (data) => sign(null, data, privateKey),
    signCompact: ({ typ }, payloadText) => {
      const input = `${headerOf(typ)}.${Buffer.from(payloadText).toString('base64url')}`;
      return `${input}.${sign(null, Buffer.from(input, 'latin1'), privateKey).toString('base64url')}`;
    },
  };
}
