import type { Jwk, Jwks } from '../../src/client/client.ts';
import type { Growth } from './originals.ts';

// One case as both verifiers are given it. Bytes are base64, so that also what is not UTF-8 gets through.

export type Case =
  | { kind: 'receipt'; jwks: Jwks; receipt: string; payload?: string; issuer?: string }
  | { kind: 'content'; content: string; jwks?: Jwks; receipt?: string }
  | {
      kind: 'checkpoint';
      jwks: Jwks;
      origin: string;
      note: string;
      cosigners?: Jwks;
      older?: { note: string; path: readonly string[] };
    }
  | {
      kind: 'proof';
      jwks: Jwks;
      origin: string;
      index: number;
      proof: string;
      leaf?: string;
      content?: { receivedAt: string; salt: string; payload: string };
      cosigners?: Jwks;
    }
  | { kind: 'national'; jwks: Jwks; origin: string; proof: string; office?: string }
  | ({ kind: 'consistency' } & Growth)
  | { kind: 'entry'; jwks: Jwks; office: string; index: number; entry: string };

export type CaseOf<K extends Case['kind']> = Extract<Case, { kind: K }>;

export interface Verdict {
  readonly ok: boolean;
  /** The step that failed. */
  readonly reason?: string;
}

export const base64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64');
export const bytesOf = (text: string): Buffer => Buffer.from(text, 'base64');

/** mulberry32: the same cases from the same originals, whenever they are made. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** One bit of the bytes, anywhere, the other way round. */
  flip(text: string): string {
    const bytes = bytesOf(text);
    const bit = this.below(bytes.length * 8);
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    return base64(bytes);
  }

  /** The steps of a path in another order, or too many, or too few. */
  disorder(path: readonly string[], other: readonly string[]): string[] {
    const at = this.below(path.length + 1);
    return this.of([
      () => path.toReversed(),
      () => path.toSpliced(at, 1),
      () => path.toSpliced(at, 0, path[at] ?? path[0] ?? 'A'.repeat(43)),
      () => path.toSpliced(at, 1, other[0] ?? 'A'.repeat(43)),
      () => [...path.slice(1), ...path.slice(0, 1)],
      () => [...path, ...other],
    ])();
  }

  /** Another key set: sometimes one that means the same. */
  rekey(jwks: Jwks, stranger: Jwk): Jwks {
    const { keys } = jwks;
    const changed = this.of<() => readonly Jwk[]>([
      () => [],
      () => keys.toReversed(),
      () => [stranger, ...keys],
      () => keys.slice(1),
      () => keys.slice(0, 1),
      () => keys.map((key) => ({ ...stranger, kid: key.kid as string })),
      () => keys.map(({ kid: _, ...key }) => key),
      () => keys.map(({ alg: _, ...key }) => key),
      () => keys.map((key) => ({ ...key, alg: this.of(['ES256', 'Ed25519', 'HS256', 'RS256']) })),
      () => keys.map((key) => ({ ...key, x: stranger.x as string })),
      () => keys.map((key) => ({ ...key, kid: stranger.kid as string })),
    ])();
    return { keys: changed };
  }
}
