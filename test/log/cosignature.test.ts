import { createPrivateKey, type KeyObject, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openNote } from '../../src/log/checkpoint.ts';
import {
  cosignatureKeyId,
  cosignNote,
  formatCosignature,
  parseCosignature,
  verifyCosignature,
} from '../../src/log/cosignature.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { cosignatureLine, type KeyPair } from './cosigner.ts';

const ORIGIN = 'gateway.example/offices/13501000000';
const ROOT = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=';
const TEXT = `${ORIGIN}\n1042\n${ROOT}\n`;
/** Signed by nobody that matters here. */
const LINE_OF_LOG = `— ${ORIGIN} AAAAAAAA`;
const NOTE = `${TEXT}\n${LINE_OF_LOG}\n`;

/** The first key of RFC 8032 section 7.1. */
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
const PUBLIC = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');

/** Made with Python's hashlib and `openssl pkeyutl -sign -rawin` from the text of the specification. */
const VECTORS = [
  {
    time: 1_795_382_400,
    text: TEXT,
    line: `— ${ORIGIN}/cosigner 2F2MuAAAAABrA1yAiIAA4f2hD1TR9gf6Beeumh2wFs3aKwTWm3GY/DzBK8y0kNNuuKyamUWZh/r23a3Rqfatjq5HkuI8cTlTdqMODw==`,
  },
  {
    // Beyond 32 bits, over a checkpoint with an extension line.
    time: 4_294_967_297,
    text: `${TEXT}recovered 1000 1040 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n`,
    line: `— ${ORIGIN}/cosigner 2F2MuAAAAAEAAAABF6CEIAHved/KAuKIZmGbCTpXs1NFi+r3X3Hcm44ycw1BtkZYulN63zCeFTcyeaOYiYuHldx6O0ZNABkYB4byDQ==`,
  },
];

function signerOf(privateKey: KeyObject, publicKey: Uint8Array) {
  return { publicKey, sign: (data: Uint8Array) => new Uint8Array(sign(null, data, privateKey)) };
}

function verifierOf(publicKey: Uint8Array) {
  const x = Buffer.from(publicKey).toString('base64url');
  const key = { kty: 'OKP', crv: 'Ed25519', x };
  return { publicKey, verify: (data: Uint8Array, signature: Uint8Array) => verify(null, data, pem(key), signature) };
}

function pem(key: object): { key: never; format: 'jwk' } {
  return { key: key as never, format: 'jwk' };
}

function newKey(): KeyPair & { readonly publicKey: Buffer } {
  const { privateKey, publicKey } = generateKeyPair('Ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  return { privateKey, x: x as string, publicKey: Buffer.from(x as string, 'base64url') };
}

test.each(VECTORS)('the cosignature at $time is the known one, byte for byte', async ({ time, text, line }) => {
  const der = Buffer.from(`302e020100300506032b657004220420${SEED}`, 'hex');
  const key = signerOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }), PUBLIC);
  const note = `${text}\n${LINE_OF_LOG}\n`;
  expect(await cosignNote(sha256, { note, origin: ORIGIN, time, key })).toBe(line);
  const parsed = parseCosignature(line);
  if (parsed === undefined) throw new Error('a known cosignature is read');
  expect([parsed.name, parsed.time]).toEqual([`${ORIGIN}/cosigner`, time]);
  expect(formatCosignature(parsed)).toBe(line);
  expect(await verifyCosignature(sha256, parsed, { note, origin: ORIGIN, key: verifierOf(PUBLIC) })).toBe(true);
});

test('the example of C2SP tlog-cosignature is read as its text says', () => {
  const line =
    '— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==';
  expect(parseCosignature(line)).toMatchObject({ name: 'witness.example.com/w1', time: 1_679_315_147 });
});

test('agrees with a cosigner that was written from the specification, both ways', async () => {
  const times = fc.oneof(fc.integer({ min: 0, max: 2 ** 40 }), fc.maxSafeNat());
  const extensions = fc.array(fc.stringMatching(/^[a-z]{1,9} [A-Za-z0-9+/]{1,20}$/), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(times, fc.nat(), extensions, async (time, size, lines) => {
      const key = newKey();
      const text = `${[ORIGIN, size, ROOT, ...lines].join('\n')}\n`;
      const note = `${text}\n${LINE_OF_LOG}\n`;
      const theirs = cosignatureLine(note, key, { time });
      expect(
        await cosignNote(sha256, { note, origin: ORIGIN, time, key: signerOf(key.privateKey, key.publicKey) }),
      ).toBe(theirs);
      const parsed = parseCosignature(theirs);
      if (parsed === undefined) throw new Error('it is read');
      const claim = { note, origin: ORIGIN, key: verifierOf(key.publicKey) };
      expect(await verifyCosignature(sha256, parsed, claim)).toBe(true);
      // As a line of the note it does not disturb who reads the log's own.
      expect(await openNote(`${note}${theirs}\n`, [])).toBeUndefined();
    }),
    { numRuns: 100 },
  );
});

test('holds for nothing else: another key, checkpoint, time, name, type or bit', async () => {
  const key = newKey();
  const holds = async (line: string, note = NOTE, by = key, origin = ORIGIN): Promise<boolean> => {
    const parsed = parseCosignature(line);
    if (parsed === undefined) return false;
    return verifyCosignature(sha256, parsed, { note, origin, key: verifierOf(by.publicKey) });
  };
  const line = cosignatureLine(NOTE, key, { time: 1_795_382_400 });
  expect(await holds(line)).toBe(true);
  expect(await holds(line, NOTE, newKey())).toBe(false);
  expect(await holds(line, NOTE.replace('1042', '1043'))).toBe(false);
  expect(await holds(line, NOTE.replace('\n\n', '\nrecovered 1 2 AAAA\n\n'))).toBe(false);
  expect(await holds(line, NOTE, key, 'gateway.example/offices/13501')).toBe(false);
  expect(await holds(line, TEXT)).toBe(false);
  expect(await holds(cosignatureLine(NOTE, key, { name: ORIGIN }))).toBe(false);
  expect(await holds(cosignatureLine(NOTE, key, { type: 1 }))).toBe(false);
  expect(await holds(cosignatureLine(NOTE, key, { change: (text) => text.trimEnd() }))).toBe(false);
  const [dash, name, base64 = ''] = line.split(' ');
  const bytes = Buffer.from(base64, 'base64');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const altered = Buffer.from(bytes);
    altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect([bit, await holds(`${dash} ${name} ${altered.toString('base64')}`)]).toEqual([bit, false]);
  }
});

test('what is no cosignature is none', () => {
  const key = newKey();
  const line = cosignatureLine(NOTE, key, { time: 5 });
  const name = `${ORIGIN}/cosigner`;
  const [plain, far] = [Buffer.alloc(68), Buffer.alloc(76)];
  far.fill(0xff, 4, 12);
  for (const wrong of [
    '',
    line.slice(1),
    `${line}\n`,
    `${line} `,
    line.replace('—', '-'),
    `— ${name} ${plain.toString('base64')}`,
    `— ${name} ${far.toString('base64')}`,
    `${line}AAAA`,
  ])
    expect(parseCosignature(wrong), wrong).toBeUndefined();
  expect(cosignatureKeyId(sha256, name, key.publicKey)).toHaveLength(4);
});
