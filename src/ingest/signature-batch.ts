import type { SignatureAlgorithm } from '../identity/records.ts';

/** One signature to be checked. */
export interface SignatureTask {
  readonly alg: SignatureAlgorithm;
  /** The public key as the text of a JWK: ASCII. */
  readonly jwk: string;
  /** What was signed: ASCII. */
  readonly signingInput: string;
  readonly signature: Buffer;
}

const ALGORITHMS: readonly SignatureAlgorithm[] = ['ES256', 'EdDSA', 'PS256', 'RS256'];

/** Before each task: algorithm (1 byte), lengths of the key (2), of the signature (2) and of the signing input (4). */
const FRAME_BYTES = 9;

/** A buffer takes tasks up to this size; a task that is larger gets a buffer of its own. */
const BUFFER_BYTES = 256 * 1024;
const TASKS_MAX = 64;

/**
 * Signatures on their way to another thread: one buffer, handed over and not copied, in place of an object and a wake-up for each.
 * A buffer that has come back is written again.
 */
export class SignatureBatch {
  #bytes: Buffer;
  #length = 0;
  #count = 0;

  /** @param buffer one that has come back; a new one is made for a task that does not fit. */
  constructor(first: SignatureTask, buffer?: ArrayBuffer) {
    const needed = sizeOf(first);
    this.#bytes =
      buffer !== undefined && buffer.byteLength >= needed
        ? Buffer.from(buffer)
        : Buffer.from(new ArrayBuffer(Math.max(BUFFER_BYTES, needed)));
    this.#write(first);
  }

  /** False when it does not fit any more. */
  add(task: SignatureTask): boolean {
    if (this.#count >= TASKS_MAX || this.#length + sizeOf(task) > this.#bytes.length) return false;
    this.#write(task);
    return true;
  }

  get count(): number {
    return this.#count;
  }

  get buffer(): ArrayBuffer {
    return this.#bytes.buffer as ArrayBuffer;
  }

  #write({ alg, jwk, signingInput, signature }: SignatureTask): void {
    const bytes = this.#bytes;
    let at = this.#length;
    bytes.writeUInt8(ALGORITHMS.indexOf(alg), at);
    bytes.writeUInt16LE(jwk.length, at + 1);
    bytes.writeUInt16LE(signature.length, at + 3);
    bytes.writeUInt32LE(signingInput.length, at + 5);
    at += FRAME_BYTES;
    at += bytes.write(jwk, at, 'latin1');
    at += signature.copy(bytes, at);
    at += bytes.write(signingInput, at, 'latin1');
    this.#length = at;
    this.#count++;
  }
}

function sizeOf({ jwk, signature, signingInput }: SignatureTask): number {
  return FRAME_BYTES + jwk.length + signature.length + signingInput.length;
}

/** A task as the other thread reads it, in place. */
export interface ReadTask {
  readonly alg: SignatureAlgorithm;
  readonly jwk: string;
  readonly signingInput: Buffer;
  readonly signature: Buffer;
}

export function* readBatch(buffer: ArrayBuffer, count: number): Generator<ReadTask> {
  const bytes = Buffer.from(buffer);
  let at = 0;
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  for (let i = 0; i < count; i++) {
    const alg = ALGORITHMS[bytes.readUInt8(at)] as SignatureAlgorithm;
    const [keyLength, signatureLength] = [bytes.readUInt16LE(at + 1), bytes.readUInt16LE(at + 3)];
    const inputLength = bytes.readUInt32LE(at + 5);
    at += FRAME_BYTES;
    yield {
      alg,
      jwk: take(keyLength).toString('latin1'),
      signature: take(signatureLength),
      signingInput: take(inputLength),
    };
  }
}
