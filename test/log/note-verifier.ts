import { createHash, createPublicKey, verify } from 'node:crypto';

// An independent reading of C2SP signed-note and tlog-checkpoint, on bytes. Shares no code with the gateway, and must
// not: it stands for what an auditor would write from the specifications.

export interface VerifiedHead {
  readonly origin: string;
  readonly size: bigint;
  readonly root: Buffer;
}

/**
 * The tree head in a checkpoint whose log is `name` and whose Ed25519 key is `rawPublicKey` (32 bytes). Throws when the
 * note is malformed or not signed by that key.
 */
export function verifyCheckpointNote(note: Buffer, name: string, rawPublicKey: Buffer): VerifiedHead {
  for (const byte of note) if (byte < 0x20 && byte !== 0x0a) throw new Error('control character');
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(note);
  const gap = note.lastIndexOf('\n\n');
  if (gap < 0) throw new Error('no signature block');
  const signedBytes = note.subarray(0, gap + 1);
  const block = note.subarray(gap + 2).toString('utf8');
  if (!block.endsWith('\n')) throw new Error('unfinished signature line');
  let isSigned = false;
  for (const line of block.slice(0, -1).split('\n')) {
    const [dash, keyName, signature, ...rest] = line.split(' ');
    if (dash !== '—' || !keyName || /\s|\+/u.test(keyName) || !signature || rest.length > 0)
      throw new Error('bad line');
    const bytes = strictBase64(signature);
    if (bytes.length < 5) throw new Error('short signature');
    if (keyName !== name || !bytes.subarray(0, 4).equals(keyId(name, rawPublicKey))) continue;
    if (!verifyEd25519(rawPublicKey, signedBytes, bytes.subarray(4))) throw new Error('wrong signature');
    isSigned = true;
  }
  if (!isSigned) throw new Error('not signed by the log');
  return parseHead(text.slice(0, text.lastIndexOf('\n\n') + 1), name);
}

function parseHead(text: string, name: string): VerifiedHead {
  const [origin, size, root, ...extensions] = text.split('\n');
  if (extensions.pop() !== '' || extensions.includes('')) throw new Error('empty line');
  if (origin !== name) throw new Error('another log');
  if (!/^(?:0|[1-9][0-9]*)$/.test(size ?? '')) throw new Error('bad size');
  const rootBytes = strictBase64(root ?? '');
  if (rootBytes.length !== 32) throw new Error('bad root');
  return { origin, size: BigInt(size as string), root: rootBytes };
}

function keyId(name: string, rawPublicKey: Buffer): Buffer {
  const hash = createHash('sha256').update(name, 'utf8').update(Buffer.of(0x0a, 0x01)).update(rawPublicKey);
  return hash.digest().subarray(0, 4);
}

function verifyEd25519(rawPublicKey: Buffer, data: Buffer, signature: Buffer): boolean {
  // RFC 8410: SubjectPublicKeyInfo of an Ed25519 key is this prefix and the 32 bytes.
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), rawPublicKey]);
  return verify(null, data, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
}

function strictBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new Error('base64 is not canonical');
  return bytes;
}
