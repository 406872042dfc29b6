import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { eq } from 'drizzle-orm';
import { date, jsonb, pgTable, text, timestamp, unique, uuid } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/postgres-js';
import { type CryptoKey, compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import postgres from 'postgres';
import type { DatabaseAddress } from '../../src/storage/db.ts';
import { BENCH_ISSUER } from '../gateway.ts';

// The textbook stack, as a competent engineer would write it in a day: jose checks the signature, Ajv the form, Drizzle
// inserts one row a request, a unique key makes sending again harmless. No cross-line rules, no log, no receipt.

const declarationKey = pgTable('declaration_key', {
  kid: text().primaryKey(),
  party: text().notNull(),
  jwk: jsonb().$type<JWK>().notNull(),
});

const declaration = pgTable(
  'declaration',
  {
    id: uuid().primaryKey().defaultRandom(),
    filer: text().notNull(),
    type: text().notNull(),
    periodFrom: date('period_from').notNull(),
    periodTo: date('period_to').notNull(),
    digest: text().notNull(),
    content: text().notNull(),
    receivedAt: timestamp('received_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [unique('declaration_once').on(t.filer, t.type, t.periodFrom, t.periodTo)],
);

const TABLES = `
  CREATE TABLE declaration_key (kid text PRIMARY KEY, party text NOT NULL, jwk jsonb NOT NULL);
  CREATE TABLE declaration (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), filer text NOT NULL, type text NOT NULL,
    period_from date NOT NULL, period_to date NOT NULL, digest text NOT NULL, content text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT declaration_once UNIQUE (filer, type, period_from, period_to))`;

const SCHEMA = new URL('../../schemas/tax/vat-general/2021-08/schema.json', import.meta.url);

interface Payload {
  readonly type: string;
  readonly filer: string;
  readonly period: { readonly from: string; readonly to: string };
  readonly data: unknown;
}

/** What became of one request: status and JSON body. */
export interface Answer {
  readonly status: 200 | 201 | 400 | 401 | 403 | 409 | 422;
  readonly body: object;
}

export interface Party {
  readonly id: string;
  readonly jwk: JWK & { readonly kid: string };
}

export class Textbook {
  readonly #db: ReturnType<typeof drizzle>;
  readonly #keys = new Map<string, { readonly party: string; readonly key: CryptoKey | Uint8Array }>();
  readonly #isValid = new Ajv2020({ strict: false, allErrors: true }).compile(JSON.parse(readFileSync(SCHEMA, 'utf8')));

  readonly close: () => Promise<void>;

  private constructor(db: ReturnType<typeof drizzle>, close: () => Promise<void>) {
    this.#db = db;
    this.close = close;
  }

  static async open(address: DatabaseAddress, parties: Iterable<Party>): Promise<Textbook> {
    const path = address.socketDir && `${address.socketDir}/.s.PGSQL.${new URL(address.url).port}`;
    const client = postgres(address.url, { max: 16, ...(path === undefined ? {} : { path }), onnotice: () => {} });
    await client.unsafe(TABLES);
    const db = drizzle(client);
    const rows = [...parties].map(({ id, jwk }) => ({ kid: jwk.kid, party: id, jwk }));
    for (let at = 0; at < rows.length; at += 1_000) await db.insert(declarationKey).values(rows.slice(at, at + 1_000));
    return new Textbook(db, () => client.end({ timeout: 5 }));
  }

  async submit(jws: string): Promise<Answer> {
    const known = await this.#key(jws);
    if (known === undefined) return { status: 401, body: { error: 'unknown key' } };
    const bytes = await payloadOf(jws, known.key);
    if (bytes === undefined) return { status: 401, body: { error: 'bad signature' } };
    const payload = JSON.parse(new TextDecoder().decode(bytes)) as Payload;
    if (payload.filer !== known.party) return { status: 403, body: { error: 'not yours' } };
    if (!this.#isValid(payload.data)) return { status: 422, body: { errors: this.#isValid.errors } };
    return await this.#insert(payload, createHash('sha256').update(bytes).digest('base64url'), jws);
  }

  async #key(jws: string) {
    const { kid } = decodeProtectedHeader(jws);
    if (kid === undefined) return undefined;
    const cached = this.#keys.get(kid);
    if (cached !== undefined) return cached;
    const [row] = await this.#db.select().from(declarationKey).where(eq(declarationKey.kid, kid));
    if (row === undefined) return undefined;
    const loaded = { party: row.party, key: await importJWK(row.jwk, 'ES256') };
    this.#keys.set(kid, loaded);
    return loaded;
  }

  async #insert({ filer, type, period }: Payload, digest: string, content: string): Promise<Answer> {
    const row = { filer, type, periodFrom: period.from, periodTo: period.to, digest, content };
    const [inserted] = await this.#db
      .insert(declaration)
      .values(row)
      .onConflictDoNothing()
      .returning({ id: declaration.id, receivedAt: declaration.receivedAt });
    if (inserted === undefined) return { status: 409, body: { error: 'filed already' } };
    return { status: 201, body: { ...inserted, digest } };
  }
}

async function payloadOf(jws: string, key: CryptoKey | Uint8Array): Promise<Uint8Array | undefined> {
  try {
    const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: ['ES256'] });
    return protectedHeader.aud === BENCH_ISSUER ? payload : undefined;
  } catch {
    return undefined;
  }
}
