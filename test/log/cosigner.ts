import { createHash, type KeyObject, sign } from 'node:crypto';

// A cosigner written from the text of C2SP tlog-cosignature and signed-note, on bytes. Shares no code with the gateway and
// its client, and must not.

export interface CosigningOptions {
  /** `<origin>/cosigner` unless another name is to be tried. */
  readonly name?: string;
  /** Seconds since the epoch. */
  readonly time?: number;
  /** Signature type in the key id: 4 in the specification. */
  readonly type?: number;
  /** What the note's text is changed to before it is signed. */
  readonly change?: (text: string) => string;
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** Base64url of the raw public key. */
  readonly x: string;
}

/** The signature line over a checkpoint (signed note), without its newline. */
export function cosignatureLine(note: string, key: KeyPair, options: CosigningOptions = {}): string {
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
  const {
    name = `${text.slice(0, text.indexOf('\n'))}/cosigner`,
    time = 0,
    type = 4,
    change = (same) => same,
  } = options;
  const message = Buffer.from(`cosignature/v1\ntime ${time}\n${change(text)}`, 'utf8');
  const stamp = Buffer.alloc(8);
  stamp.writeUInt32BE(Math.floor(time / 2 ** 32), 0);
  stamp.writeUInt32BE(time % 2 ** 32, 4);
  const keyId = createHash('sha256')
    .update(Buffer.concat([Buffer.from(`${name}\n`, 'utf8'), Buffer.of(type), Buffer.from(key.x, 'base64url')]))
    .digest()
    .subarray(0, 4);
  const signature = sign(key.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', message, {
    key: key.privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return `— ${name} ${Buffer.concat([keyId, stamp, signature]).toString('base64')}`;
}
