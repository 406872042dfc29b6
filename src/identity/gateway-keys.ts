import type { KeyObject } from 'node:crypto';
import type { Clock } from '../std/clock.ts';
import type { Database } from '../storage/db.ts';
import { selectGatewayKeys } from '../storage/oauth.ts';
import { type PublicJwk, publicKeyOf } from './jwk.ts';

/** How old the list may be, and how often an unknown kid may cause a query. */
const MAX_AGE_MS = 2_000;

/** The public keys that any process of this gateway has ever signed with. They are few and none is ever taken away. */
export class GatewayKeys {
  readonly #db: Database;
  readonly #clock: Clock;
  #list: readonly PublicJwk[] = [];
  #byKid = new Map<string, KeyObject>();
  #loadedAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Newest first. */
  async list(): Promise<readonly PublicJwk[]> {
    await this.#refresh();
    return this.#list;
  }

  /** Undefined: no key of this gateway. */
  async find(kid: string): Promise<KeyObject | undefined> {
    const known = this.#byKid.get(kid);
    if (known !== undefined) return known;
    await this.#refresh();
    return this.#byKid.get(kid);
  }

  async #refresh(): Promise<void> {
    if (this.#clock.monotonic() - this.#loadedAt <= MAX_AGE_MS) return;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #load(): Promise<void> {
    const sentAt = this.#clock.monotonic();
    const rows = await selectGatewayKeys(this.#db.sql);
    this.#list = rows.map((row) => row.jwk as PublicJwk);
    for (const jwk of this.#list) if (!this.#byKid.has(jwk.kid)) this.#byKid.set(jwk.kid, publicKeyOf(jwk));
    this.#loadedAt = sentAt;
  }
}
