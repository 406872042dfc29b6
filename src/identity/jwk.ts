import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { fromBase64url, sha256, toBase64url } from '../std/bytes.ts';
import type { Text } from '../std/text.ts';
import { isP256Point } from './p256.ts';
import type { SignatureAlgorithm } from './records.ts';

/** A public key with only the members that matter, as it is stored, served and thumbprinted. */
export interface PublicJwk {
  readonly kty: 'EC' | 'OKP' | 'RSA';
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
  readonly alg: SignatureAlgorithm;
  readonly kid: string;
}

/** What is wrong with a JWK: the member and why. */
export interface JwkFault {
  readonly member: string;
  readonly reason: Text;
}

type JwkResult = { readonly ok: true; readonly jwk: PublicJwk } | { readonly ok: false; readonly fault: JwkFault };

type Members = Readonly<Record<string, unknown>>;
type Parsed = { readonly jwk: Omit<PublicJwk, 'kid'>; readonly thumbprint: string } | JwkFault;

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Verifying gets slower with the modulus, so it has an upper bound too. */
const RSA_BITS = { min: 2048, max: 4096 };

/**
 * Reads a public key for signatures: EC P-256 (ES256), OKP Ed25519 (EdDSA, or `Ed25519` as RFC 9864 calls it), RSA of
 * 2048 to 4096 bits (PS256 or RS256; `alg` must say which, since a key has one algorithm). Every value must have its one
 * canonical spelling. `kid`, when given, must be the RFC 7638 thumbprint. Private members are refused, so that nobody
 * sends a secret twice; members without meaning here (`ext`, `x5c`, ...) are left out of the result.
 */
export function importJwk(value: unknown): JwkResult {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused(fault('', '应为JWK对象', 'must be a JWK object'));
  }
  const members = value as Members;
  const secret = PRIVATE_MEMBERS.find((name) => Object.hasOwn(members, name));
  if (secret !== undefined)
    return refused(
      fault(
        secret,
        '含有私钥成员；只提交公钥，并请更换此密钥',
        'is private; send the public key only, and replace this key',
      ),
    );
  const use = checkUse(members);
  if (use !== undefined) return refused(use);
  const parsed = readers[String(members.kty)]?.(members) ?? fault('kty', '应为EC、OKP或RSA', 'must be EC, OKP or RSA');
  if ('reason' in parsed) return refused(parsed);
  const kid = toBase64url(sha256(parsed.thumbprint));
  if (members.kid !== undefined && members.kid !== kid) {
    return refused(fault('kid', '应为RFC 7638指纹（SHA-256）', 'must be the RFC 7638 thumbprint (SHA-256)'));
  }
  const jwk: PublicJwk = { ...parsed.jwk, kid };
  return { ok: true, jwk };
}

/** The key to verify with, of a JWK that {@link importJwk} has accepted. EC takes 67 us: only for who verifies now. */
export function publicKeyOf(jwk: PublicJwk): KeyObject {
  return createPublicKey({ key: jwk as unknown as JsonWebKey, format: 'jwk' });
}

/** The members that make the key, always in this order. */
export function publicKeyText({ kty, crv, x, y, n, e }: PublicJwk): string {
  return JSON.stringify({ kty, crv, x, y, n, e });
}

export function publicKeyOfText(text: string): KeyObject {
  return createPublicKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' });
}

const readers: Readonly<Record<string, (members: Members) => Parsed>> = { EC: readEc, OKP: readOkp, RSA: readRsa };

function readEc(members: Members): Parsed {
  if (members.crv !== 'P-256') return fault('crv', '椭圆曲线应为P-256', 'must be P-256');
  const wrong = checkAlg(members, ['ES256'], 'ES256');
  if (typeof wrong !== 'string') return wrong;
  const { x, y } = members;
  if (!isBytes(x, 32)) return fault('x', '应为32字节的base64url', 'must be 32 bytes in base64url');
  if (!isBytes(y, 32)) return fault('y', '应为32字节的base64url', 'must be 32 bytes in base64url');
  if (!isP256Point(Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')))
    return fault('x', '不是曲线上的点', 'is not a point on the curve');
  return {
    jwk: { kty: 'EC', crv: 'P-256', x, y, alg: 'ES256' },
    thumbprint: `{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`,
  };
}

function readOkp(members: Members): Parsed {
  if (members.crv !== 'Ed25519') return fault('crv', '曲线应为Ed25519', 'must be Ed25519');
  const wrong = checkAlg(members, ['EdDSA', 'Ed25519'], 'EdDSA');
  if (typeof wrong !== 'string') return wrong;
  const { x } = members;
  if (!isBytes(x, 32)) return fault('x', '应为32字节的base64url', 'must be 32 bytes in base64url');
  if (isLowOrder(Buffer.from(x, 'base64url'))) return fault('x', '是低阶点，不能用于签名', 'is a point of low order');
  return {
    jwk: { kty: 'OKP', crv: 'Ed25519', x, alg: 'EdDSA' },
    thumbprint: `{"crv":"Ed25519","kty":"OKP","x":"${x}"}`,
  };
}

function readRsa(members: Members): Parsed {
  const alg = checkAlg(members, ['PS256', 'RS256'], undefined);
  if (typeof alg !== 'string') return alg;
  const { n, e } = members;
  if (typeof n !== 'string' || n.length > 2 * RSA_BITS.max) return fault('n', '应为base64url', 'must be base64url');
  const bits = bitLength(fromBase64url(n));
  if (bits < RSA_BITS.min || bits > RSA_BITS.max)
    return fault('n', 'RSA模数应为2048至4096位', 'must have 2048 to 4096 bits, without leading zeros');
  // 65537 is what every current maker of keys uses, and the least that NIST SP 800-56B allows.
  if (e !== 'AQAB') return fault('e', '公钥指数应为65537（AQAB）', 'must be 65537 (AQAB)');
  return {
    jwk: { kty: 'RSA', n, e, alg: alg as SignatureAlgorithm },
    thumbprint: `{"e":"${e}","kty":"RSA","n":"${n}"}`,
  };
}

/** The algorithm that `alg` names, or `byDefault` when it is absent. */
function checkAlg(members: Members, allowed: readonly string[], byDefault: string | undefined): string | JwkFault {
  const alg = members.alg ?? byDefault;
  if (typeof alg === 'string' && allowed.includes(alg)) return alg;
  return fault(
    'alg',
    `此类密钥的算法应为${allowed.join('或')}`,
    `must be ${allowed.join(' or ')} for this kind of key`,
  );
}

function checkUse(members: Members): JwkFault | undefined {
  if (members.use !== undefined && members.use !== 'sig') return fault('use', '应为sig', 'must be sig');
  const operations = members.key_ops;
  if (operations === undefined || (Array.isArray(operations) && operations.includes('verify'))) return undefined;
  return fault('key_ops', '应含verify', 'must include verify');
}

function isBytes(value: unknown, length: number): value is string {
  return (
    typeof value === 'string' && value.length === Math.ceil((length * 4) / 3) && fromBase64url(value)?.length === length
  );
}

/** 0 for what is not the shortest spelling of a positive odd number. */
function bitLength(bytes: Buffer | undefined): number {
  const first = bytes?.[0];
  const last = bytes?.at(-1);
  if (bytes === undefined || !first || last === undefined || last % 2 === 0) return 0;
  return (bytes.length - 1) * 8 + (32 - Math.clz32(first));
}

/**
 * Encodings of the points of order 1, 2, 4 and 8 (RFC 7748 section 7 warns of them; the sign bit is ignored). With such a
 * key one signature fits many messages, so that its holder could deny each of them.
 */
const LOW_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

function isLowOrder(point: Buffer): boolean {
  const unsigned = Buffer.from(point);
  unsigned[31] = (unsigned[31] as number) & 0x7f;
  return LOW_ORDER.has(unsigned.toString('hex'));
}

function fault(member: string, zh: string, en: string): JwkFault {
  return { member, reason: { zh, en } };
}

function refused(why: JwkFault): JwkResult {
  return { ok: false, fault: why };
}
