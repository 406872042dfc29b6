import { type Clock, type PlainDate, parseInstant, shanghaiDate } from '../std/clock.ts';
import { ShenbaoError } from './errors.ts';
import { signCompact } from './jws.ts';
import type { SigningKey } from './keys.ts';
import { asJson, type Call, type Transport } from './transport.ts';

/** Whom a filer lets file for it, what, and when. */
export interface MandateTerms {
  /** 1 to 64 letters, digits, dots, underscores or hyphens. A mandate of the same id is replaced. */
  readonly id: string;
  readonly agent: string;
  readonly filer: string;
  /** Filing types; `*` as the last segment for all below it: `tax.*`. */
  readonly types: readonly string[];
  readonly from: PlainDate;
  /** The last day. */
  readonly to?: PlainDate;
}

export interface Mandate extends MandateTerms {
  /** As the filer signed it; absent where an operator entered it. */
  readonly jws?: string;
  readonly signedAt?: string;
}

/** A mandate as a compact JWS, to be sent by whoever likes. `iat`: when it is signed, in seconds since 1970; the newest stands. */
export function signMandate(terms: MandateTerms, iat: number, key: SigningKey, issuer: string): Promise<string> {
  const { id, agent, filer, types, from, to } = terms;
  const signed = { id, agent, filer, types, from, ...(to === undefined ? {} : { to }), iat };
  return signCompact(key, { typ: 'mandate+jws', aud: issuer }, new TextEncoder().encode(JSON.stringify(signed)));
}

/** What {@link Mandates} needs of the client that it belongs to. */
export interface MandatesContext {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly issuer: () => Promise<string>;
  readonly signer: () => Promise<SigningKey>;
  readonly authorized: <T>(path: string, call: Call, read: (response: Response) => Promise<T>) => Promise<T>;
}

/** Mandates: given and taken back by the filer's own signature. */
export class Mandates {
  readonly #context: MandatesContext;

  constructor(context: MandatesContext) {
    this.#context = context;
  }

  /** Signed with the client's key, not sent. */
  async sign(terms: MandateTerms): Promise<string> {
    return this.#sign(terms, 0);
  }

  /** Sends a signed mandate, the filer's own or one that an agent was handed. Again: answered with what stands. */
  send(jws: string): Promise<Mandate> {
    const call: Call = { method: 'POST', headers: { 'content-type': 'application/jose' }, body: jws.trim() };
    return this.#context.transport.request('/v1/mandates', call, asJson<Mandate>);
  }

  /** Signs and sends. */
  async give(terms: MandateTerms): Promise<Mandate> {
    return this.send(await this.sign(terms));
  }

  /** For both its sides. */
  get(id: string): Promise<Mandate> {
    return this.#context.authorized(`/v1/mandates/${encodeURIComponent(id)}`, {}, asJson<Mandate>);
  }

  /** Takes a mandate back: signs it anew with a last day, yesterday unless told otherwise. */
  async end(id: string, to: PlainDate = this.#yesterday()): Promise<Mandate> {
    const { jws: _, signedAt, ...standing } = await this.get(id);
    const from = standing.from < to ? standing.from : to;
    const before = signedAt === undefined ? undefined : parseInstant(signedAt);
    return this.send(await this.#sign({ ...standing, from, to }, before === undefined ? 0 : before / 1000 + 1));
  }

  async #sign(terms: MandateTerms, atLeast: number): Promise<string> {
    const { issuer, signer, clock } = this.#context;
    const key = await signer();
    if (key.sub !== undefined && key.sub !== terms.filer)
      throw new ShenbaoError('usage', 'a mandate is signed with a key of the filer that gives it');
    return signMandate(terms, Math.max(Math.floor(clock.now() / 1000), atLeast), key, await issuer());
  }

  #yesterday(): PlainDate {
    return shanghaiDate(this.#context.clock.now() - 86_400_000);
  }
}
