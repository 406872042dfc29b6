import { createPublicKey, verify } from 'node:crypto';
import { filerSigner, makeKey, publicHalf, signPayload } from './keys.ts';

const ROUNDS = 2_000;

/**
 * CPU microseconds of one ES256 verification, here and now: the largest part of a filing that no gateway can do without. On
 * a machine with other work it tells how much slower everything is than on a quiet one.
 */
export function verifyCost(): number {
  const key = makeKey('calibration', 0);
  const publicKey = createPublicKey({ key: { ...publicHalf(key) }, format: 'jwk' });
  const jws = signPayload(filerSigner(key, 'calibration'), 'x'.repeat(620));
  const end = jws.lastIndexOf('.');
  const data = Buffer.from(jws.slice(0, end));
  const signature = Buffer.from(jws.slice(end + 1), 'base64url');
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      if (!verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature))
        throw new Error('unverified');
    }
  };
  rounds(ROUNDS / 10);
  const before = process.cpuUsage();
  rounds(ROUNDS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / ROUNDS;
}
