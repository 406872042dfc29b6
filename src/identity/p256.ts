/** The field and the curve y² = x³ - 3x + b of P-256 (FIPS 186-4, D.1.2.3). */
const FIELD = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

/**
 * Whether two coordinates, 32 bytes each, are a public key of P-256. Every point of this curve but infinity, which has no
 * coordinates, has the curve's order (its cofactor is 1), so that this is full validation (SP 800-56A rev. 3, 5.6.2.3.3). OpenSSL
 * multiplies the point by the order as well, which takes as long as verifying a signature.
 */
export function isP256Point(x: Buffer, y: Buffer): boolean {
  const [px, py] = [integerOf(x), integerOf(y)];
  return px < FIELD && py < FIELD && (py * py - (px * px - 3n) * px - B) % FIELD === 0n;
}

function integerOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}
