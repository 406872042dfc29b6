import {
  type Cosignature,
  type CosignerKey,
  cosignerName,
  namesKey,
  parseCosignature,
  verifyCosignature,
} from '../log/cosignature.ts';
import { sha256 } from '../std/bytes.ts';
import { formatInstant } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { CosignatureRow } from '../storage/cosignatures.ts';
import type { StoredCheckpoint } from '../storage/log.ts';

/** An Ed25519 key of an office. Times are milliseconds since the epoch; absent bounds are open. */
export interface OfficeKey extends CosignerKey {
  readonly kid: string;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly revokedAt?: number;
}

/** By how much the clocks of an office and of the gateway may differ. */
const SKEW_MS = 5 * 60_000;

/**
 * A cosignature over `checkpoint`, by one of the office's `keys` that is in force, made between the checkpoint's signing and
 * now. Throws `invalid-resource` that says what is wrong with it.
 */
export async function checkCosignature(input: {
  readonly line: string;
  readonly checkpoint: StoredCheckpoint;
  readonly keys: readonly OfficeKey[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}): Promise<CosignatureRow> {
  const { line, checkpoint, keys, now } = input;
  const { note, size, signedAt } = checkpoint;
  const origin = note.slice(0, note.indexOf('\n'));
  const cosignature = parseCosignature(line);
  if (cosignature === undefined) throw refused(WORDS.form);
  if (cosignature.name !== cosignerName(origin)) throw refused(nameWords(cosignerName(origin)));
  const cosignedAt = cosignature.time * 1000;
  if (cosignedAt > now + SKEW_MS) throw refused(WORDS.ahead);
  if (cosignedAt < signedAt - SKEW_MS) throw refused(beforeWords(signedAt));
  const key = keyNamed(cosignature, keys, now);
  if (!(await verifyCosignature(sha256, cosignature, { note, origin, key }))) throw refused(signatureWords(size));
  return { size, kid: key.kid, line, cosignedAt };
}

function keyNamed(cosignature: Cosignature, keys: readonly OfficeKey[], now: number): OfficeKey {
  const named = keys.filter((key) => namesKey(sha256, cosignature, key));
  const key = named.find((candidate) => isInForce(candidate, now));
  if (key !== undefined) return key;
  if (named.length > 0) throw refused(WORDS.notInForce);
  throw refused(keys.some((candidate) => isInForce(candidate, now)) ? WORDS.key : WORDS.algorithm);
}

function isInForce({ notBefore, notAfter, revokedAt }: OfficeKey, now: number): boolean {
  const hasBegun = notBefore === undefined || notBefore <= now;
  return hasBegun && (notAfter === undefined || now < notAfter) && (revokedAt === undefined || now < revokedAt);
}

const WORDS = {
  form: {
    zh: '不是 C2SP tlog-cosignature（Ed25519，cosignature/v1）的签名行：— <名称> <base64>。',
    en: 'This is not a signature line of C2SP tlog-cosignature (Ed25519, cosignature/v1): — <name> <base64>.',
  },
  ahead: {
    zh: '会签时间比网关的时间晚 5 分钟以上。请校准时钟。',
    en: "The time of the cosignature is more than 5 minutes ahead of the gateway's. Set the clock.",
  },
  algorithm: {
    zh: '只有 Ed25519 密钥可以会签，而本机关没有在用的 Ed25519 密钥。请先登记一个，或不附会签而确认。',
    en: 'Only Ed25519 keys can cosign, and the office has none in force. Register one, or acknowledge without a cosignature.',
  },
  key: {
    zh: '密钥标识不属于本机关任何一个 Ed25519 密钥。',
    en: 'The key id is that of no Ed25519 key of the office.',
  },
  notInForce: {
    zh: '会签所用的密钥已撤销或不在有效期内。',
    en: 'The key of the cosignature is revoked, or not in force at this time.',
  },
} satisfies Record<string, Text>;

function nameWords(name: string): Text {
  return { zh: `会签的名称应为 ${name}。`, en: `The name of the cosignature must be ${name}.` };
}

function beforeWords(signedAt: number): Text {
  const at = formatInstant(signedAt);
  return {
    zh: `会签时间比检查点的签名时间（${at}）早 5 分钟以上。请校准时钟。`,
    en: `The time of the cosignature is more than 5 minutes before the checkpoint was signed (${at}). Set the clock.`,
  };
}

function signatureWords(size: number): Text {
  return {
    zh: `会签与网关前 ${size} 份的检查点不符。被签的是该检查点的正文：领取批次时的 checkpoint 中，签名行之前的部分。`,
    en: `The cosignature does not verify over the gateway's checkpoint of ${size} entries. What is signed is its text: \`checkpoint\` of the opened batch, up to the signature lines.`,
  };
}

function refused(message: Text): GatewayError {
  const violation = { pointer: '/cosignature', code: 'cosignature', severity: 'error' as const, message };
  return new GatewayError('invalid-resource', { errors: [violation] });
}
