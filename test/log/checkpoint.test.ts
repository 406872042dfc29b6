import { randomBytes, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ed25519KeyId,
  formatTreeHead,
  logOrigin,
  openCheckpoint,
  parseNote,
  parseTreeHead,
  signNote,
} from '../../src/log/checkpoint.ts';
import { decodeBase64, decodeBase64url, encodeBase64, encodeBase64url } from '../../src/std/base64.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { verifyCheckpointNote } from './note-verifier.ts';

const ORIGIN = logOrigin('https://gateway.example/', '13501000000');
const { publicKey, privateKey } = generateKeyPair('Ed25519');
const rawPublicKey = Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url');
const keyId = ed25519KeyId(sha256, ORIGIN, rawPublicKey);
const signer = { name: ORIGIN, keyId, sign: (data: Uint8Array) => sign(null, data, privateKey) };
const verifier = {
  name: ORIGIN,
  keyId,
  verify: (data: Uint8Array, signature: Uint8Array) => verify(null, data, publicKey, signature),
};
const root = randomBytes(32);
const note = signNote(formatTreeHead({ origin: ORIGIN, size: 42, root }), signer);

describe('a checkpoint', () => {
  test('is a signed note in the form of the specification', () => {
    expect(ORIGIN).toBe('gateway.example/offices/13501000000');
    const [signature] = parseNote(note)?.signatures ?? [];
    expect(note).toBe(
      `${ORIGIN}\n42\n${root.toString('base64')}\n\n— ${ORIGIN} ${Buffer.concat([keyId, signature?.signature ?? keyId]).toString('base64')}\n`,
    );
  });

  test('is accepted by an independent verifier and by our own', async () => {
    expect(verifyCheckpointNote(Buffer.from(note), ORIGIN, rawPublicKey)).toEqual({ origin: ORIGIN, size: 42n, root });
    expect(await openCheckpoint(note, ORIGIN, [verifier])).toEqual({
      origin: ORIGIN,
      size: 42,
      root: new Uint8Array(root),
    });
  });

  test('is refused by both after any change of one bit', async () => {
    const bytes = Buffer.from(note);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes);
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => verifyCheckpointNote(altered, ORIGIN, rawPublicKey), `bit ${bit}`).toThrow();
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(altered);
      expect(await openCheckpoint(text, ORIGIN, [verifier]), `bit ${bit}`).toBeUndefined();
    }
  });

  test('is not taken for that of another log, or from another key', async () => {
    const other = logOrigin('https://gateway.example', '2');
    expect(await openCheckpoint(note, other, [{ ...verifier, name: other }])).toBeUndefined();
    expect(await openCheckpoint(note, other, [verifier])).toBeUndefined();
    expect(await openCheckpoint(note, ORIGIN, [])).toBeUndefined();
    const stranger = { ...verifier, verify: () => false };
    expect(await openCheckpoint(note, ORIGIN, [stranger])).toBeUndefined();
  });

  test('may carry signatures by others, which are ignored, but no wrong one by a known key', async () => {
    const cosigned = `${note}— witness.example ${Buffer.concat([randomBytes(4), randomBytes(64)]).toString('base64')}\n`;
    expect(await openCheckpoint(cosigned, ORIGIN, [verifier])).toBeDefined();
    expect(verifyCheckpointNote(Buffer.from(cosigned), ORIGIN, rawPublicKey).size).toBe(42n);
    const forged = `${note}— ${ORIGIN} ${Buffer.concat([keyId, randomBytes(64)]).toString('base64')}\n`;
    expect(await openCheckpoint(forged, ORIGIN, [verifier])).toBeUndefined();
  });

  test.each([
    ['no size', `${ORIGIN}\n`],
    ['leading zero', `${ORIGIN}\n042\n${encodeBase64(root)}\n`],
    ['negative', `${ORIGIN}\n-1\n${encodeBase64(root)}\n`],
    ['beyond what a number holds', `${ORIGIN}\n9007199254740993\n${encodeBase64(root)}\n`],
    ['short root', `${ORIGIN}\n42\n${encodeBase64(root.subarray(1))}\n`],
    ['empty line', `${ORIGIN}\n42\n${encodeBase64(root)}\n\n`],
    ['no last newline', `${ORIGIN}\n42\n${encodeBase64(root)}`],
  ])('text is refused: %s', (_, text) => {
    expect(parseTreeHead(text)).toBeUndefined();
  });

  test.each([
    ['no signature', `${ORIGIN}\n42\n\n`],
    ['carriage returns', note.replaceAll('\n', '\r\n')],
    ['no last newline', note.slice(0, -1)],
    ['another dash', note.replace('—', '-')],
    ['plus in the name', note.replace(`— ${ORIGIN}`, '— a+b')],
    ['too many signatures', `${note}${'— a AAAAAAA=\n'.repeat(40)}`],
    ['too long', `${'a'.repeat(70_000)}${note}`],
  ])('note is refused: %s', (_, text) => {
    expect(parseNote(text)).toBeUndefined();
  });
});

describe('base64', () => {
  test('is that of Node, and has one spelling for one value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(encodeBase64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes);
        expect(decodeBase64url(encodeBase64url(bytes))).toEqual(bytes);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'AQgw-_+/=b'), maxLength: 9 }), (text) => {
        const bytes = decodeBase64url(text);
        if (bytes !== undefined) expect(encodeBase64url(bytes)).toBe(text);
        const padded = decodeBase64(text);
        if (padded !== undefined) expect(encodeBase64(padded)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });
});
