import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';

/** Level 1 is a quarter of the processor time of the default for a tenth more bytes: what is streamed is long. */
const GZIP_LEVEL = 1;

/** True when an `Accept-Encoding` header (RFC 9110 section 12.5.3) allows gzip by name or by `*`. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  let any = false;
  for (const item of (acceptEncoding ?? '').slice(0, 1024).toLowerCase().split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim());
    const allowed = !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    if (coding === 'gzip' || coding === 'x-gzip') return allowed;
    if (coding === '*') any = allowed;
  }
  return any;
}

/**
 * A body that is made as it is read: a part is asked for when the client has taken the one before, and no more are made
 * once it has gone. When making one fails, the connection is cut, so that a part is never taken for the whole.
 */
export function streamedBody(parts: AsyncIterable<Uint8Array>, options: { readonly gzip: boolean }): ReadableStream {
  const iterator = (options.gzip ? compressed(parts) : parts)[Symbol.asyncIterator]();
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => {
      await iterator.return?.();
    },
  });
}

function compressed(parts: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const gzip = createGzip({ level: GZIP_LEVEL });
  // An error destroys both ends with it; the reader of `gzip` hears of it there.
  pipeline(Readable.from(parts), gzip, () => undefined);
  return gzip;
}
