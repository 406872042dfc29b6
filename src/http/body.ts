import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { GatewayError } from '../std/errors.ts';

/** The client closed its connection before the body was complete: there is nobody to answer. */
export class ClientGone extends Error {
  constructor() {
    super('the client closed the connection');
    this.name = 'ClientGone';
  }
}

/** Bytes that may wait for the reader of a stream before the socket is told to wait. */
const STREAM_BUFFER_BYTES = 256 * 1024;

/** A body that is read whole must be there after this long. */
export const BODY_TIMEOUT_MS = 10_000;
/** A body that is read as a stream must bring this much in every such window, as long as we are the ones who wait. */
export const STREAM_WINDOW_MS = 7_000;
export const STREAM_WINDOW_BYTES = 8 * 1024;

/** Refuses, before a byte is read, what the headers already tell. */
export function checkBodyHeaders(headers: IncomingHttpHeaders, limitBytes: number): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new GatewayError('unsupported-media-type', {
      detail: { zh: '不接受压缩的请求正文。', en: 'Compressed bodies are not accepted.' },
    });
  }
  const length = headers['content-length'];
  if (length !== undefined && Number(length) > limitBytes) throw tooLarge(limitBytes);
}

function tooLarge(limitBytes: number): GatewayError {
  return new GatewayError('too-large', {
    detail: {
      zh: `请求正文超过此接口的上限（${limitBytes} 字节）。`,
      en: `The body is over the limit of this operation (${limitBytes} bytes).`,
    },
    members: { limitBytes },
  });
}

/** The reader of a source, kept on it so that one set of listeners serves all requests: four closures less for each. */
const READER = Symbol('reader');
type Source = Readable & { [READER]?: BodyReader };

function onData(this: Source, chunk: Buffer): void {
  this[READER]?.take(chunk);
}
function onEnd(this: Source): void {
  this[READER]?.end();
}
function onBroken(this: Source): void {
  this[READER]?.fail(new ClientGone());
}

/** Who wants to know when the last byte is here. */
export interface BodyOwner {
  bodyEnded(): void;
}

/**
 * The body of one request as it arrives: counted, bounded in size and in time, read once, whole or piece by piece.
 * Time is told by `expire`, which the sweep over all requests calls, so that a request needs no timer of its own.
 */
export class BodyReader {
  readonly #source: Source;
  readonly #limitBytes: number;
  readonly #owner: BodyOwner;
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #totalBytes = 0;
  #ended = false;
  #failure: unknown;
  #streaming = false;
  #wake: (() => void) | undefined;
  #windowStart: number;
  #windowBytes = 0;

  /** `startedAt` in milliseconds of the monotonic clock. */
  constructor(source: Readable, limitBytes: number, startedAt: number, owner: BodyOwner) {
    this.#source = source;
    this.#limitBytes = limitBytes;
    this.#windowStart = startedAt;
    this.#owner = owner;
    this.#source[READER] = this;
    source.on('data', onData);
    source.on('end', onEnd);
    source.on('error', onBroken);
    source.on('close', onBroken);
  }

  /** The whole body. */
  whole(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (this.#failure !== undefined) reject(this.#failure);
        else resolve(this.#collected());
      };
      if (this.#ended || this.#failure !== undefined) settle();
      else this.#wake = settle;
    });
  }

  /** Keeps nothing: the request lives until it is answered, and its body does not have to. */
  #collected(): Buffer {
    const chunks = this.#chunks;
    this.#chunks = [];
    const [first] = chunks;
    return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
  }

  /** The body piece by piece; the sender is held back while nobody takes them. */
  pieces(): AsyncGenerator<Uint8Array> {
    this.#streaming = true;
    return this.#generate();
  }

  async *#generate(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        while (this.#chunks.length === 0 && !this.#ended && this.#failure === undefined) await this.#change();
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#chunks.length === 0) return;
        const chunks = this.#chunks;
        this.#chunks = [];
        this.#bufferedBytes = 0;
        this.#source.resume();
        yield* chunks;
      }
    } finally {
      this.fail(new ClientGone());
    }
  }

  /** Told the time now and then; refuses a body that takes too long. */
  expire(now: number): void {
    if (this.#ended || now - this.#windowStart < (this.#streaming ? STREAM_WINDOW_MS : BODY_TIMEOUT_MS)) return;
    const isMoving = this.#totalBytes - this.#windowBytes >= STREAM_WINDOW_BYTES;
    const isOurTurn = this.#bufferedBytes > 0;
    if (!this.#streaming || !(isMoving || isOurTurn)) this.fail(new GatewayError('timeout'));
    this.#windowStart = now;
    this.#windowBytes = this.#totalBytes;
  }

  /** Stops reading; whoever waits for the body gets `failure`. */
  fail(failure: unknown): void {
    if (this.#ended || this.#failure !== undefined) return;
    this.#failure = failure;
    this.#chunks = [];
    this.#detach();
    this.#source.pause();
    this.#notify();
  }

  take(chunk: Buffer): void {
    this.#totalBytes += chunk.length;
    if (this.#totalBytes > this.#limitBytes) {
      this.fail(tooLarge(this.#limitBytes));
      return;
    }
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (!this.#streaming) return;
    if (this.#bufferedBytes > STREAM_BUFFER_BYTES) this.#source.pause();
    this.#notify();
  }

  end(): void {
    if (this.#failure !== undefined) return;
    this.#ended = true;
    this.#detach();
    this.#owner.bodyEnded();
    this.#notify();
  }

  #detach(): void {
    this.#source.off('data', onData);
    this.#source.off('end', onEnd);
    this.#source.off('close', onBroken);
    // The error listener stays: without one, a socket that breaks later would end the process.
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
