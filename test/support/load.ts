import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { digestOf, receiptText } from './expect.ts';
import { lodging, type Payload, type SigningParty } from './filer.ts';
import type { Gateway } from './gateway.ts';
import { type Answer, ask } from './wire.ts';

/** What a client knows of one filing that it sent. */
export interface Sent {
  readonly jws: string;
  readonly digest: string;
  /** Once it was answered 2xx. */
  id?: string;
  receipt?: string;
  attempts: number;
}

/** Clients that file as fast as they are answered, and send again whatever was not answered 2xx. */
export class Load {
  readonly sent: Sent[] = [];
  /** Answers that no client should ever get. */
  readonly surprises: string[] = [];
  /** How often each status came; 0 for a broken connection. */
  readonly statuses = new Map<number, number>();
  readonly #gateway: Gateway;
  readonly #party: SigningParty;
  readonly #make: () => Payload;
  #isRunning = true;
  #clients: Promise<void>[] = [];

  constructor(gateway: Gateway, clients: number, options: { party?: SigningParty; make?: () => Payload } = {}) {
    this.#gateway = gateway;
    this.#party = options.party ?? gateway.party('filer');
    this.#make = options.make ?? (() => lodging({ filer: this.#party.id }));
    this.#clients = Array.from({ length: clients }, () => this.#client());
  }

  get acked(): Sent[] {
    return this.sent.filter(({ receipt }) => receipt !== undefined);
  }

  /** No new filings; resolves when each that was begun has been answered 2xx. */
  async finish(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#clients);
  }

  async #client(): Promise<void> {
    while (this.#isRunning) {
      const payload = JSON.stringify(this.#make());
      const filing: Sent = {
        jws: this.#party.filing(this.#gateway.issuer, payload),
        digest: digestOf(payload),
        attempts: 0,
      };
      this.sent.push(filing);
      while (filing.receipt === undefined && filing.attempts < 5_000) await this.#attempt(filing);
      if (filing.receipt === undefined) this.surprises.push('never answered 2xx');
    }
  }

  async #attempt(filing: Sent): Promise<void> {
    filing.attempts++;
    const answer = await this.send(filing);
    const status = answer?.status ?? 0;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (answer !== undefined && (status === 200 || status === 201)) {
      filing.receipt = receiptText(answer);
      filing.id = (answer.json() as { id: string }).id;
    } else if (status !== 0 && status !== 503) {
      this.surprises.push(`${status} ${answer?.text}`);
      filing.attempts = Number.POSITIVE_INFINITY;
    } else await sleep(20 + Math.random() * 30);
  }

  send(filing: Pick<Sent, 'jws'>): Promise<Answer | undefined> {
    const { connections, url } = this.#gateway;
    const headers = { 'Content-Type': 'application/jose' };
    return ask(connections, 'POST', `${url}/v1/filings`, { headers, body: filing.jws, timeoutMs: 20_000 }).catch(
      () => undefined,
    );
  }
}

export interface Audit {
  readonly acked: number;
  readonly rows: number;
  /** Acked filings without a row under their id with their content. */
  readonly lost: number;
  /** Contents that stand more than once. */
  readonly doubled: number;
  /** Offices whose indexes are not 0 to size - 1, each once. */
  readonly gaps: number;
  /** Rows of contents that nobody sent. */
  readonly unknown: number;
}

/** Compares what clients were told with what stands in the database. */
export async function audit(sql: Sql, sent: readonly Sent[]): Promise<Audit> {
  const rows = await sql<{ id: string; digest: string }[]>`
    SELECT office || '.' || idx AS id, encode(digest, 'hex') AS digest FROM filing`;
  const offices = await sql<{ size: number; n: number; least: number; most: number }[]>`
    SELECT h.size, count(f.idx)::int AS n, min(f.idx)::int AS least, max(f.idx)::int AS most
    FROM office_head h LEFT JOIN filing f ON f.lane = h.lane AND f.office = h.office GROUP BY h.lane, h.office, h.size`;
  const hex = (digest: string): string => Buffer.from(digest, 'base64url').toString('hex');
  const byId = new Map(rows.map((row) => [row.id, row.digest]));
  const known = new Set(sent.map(({ digest }) => hex(digest)));
  const acked = sent.filter(({ receipt }) => receipt !== undefined);
  return {
    acked: acked.length,
    rows: rows.length,
    lost: acked.filter(({ id, digest }) => byId.get(id ?? '') !== hex(digest)).length,
    doubled: rows.length - new Set(rows.map((row) => row.digest)).size,
    gaps: offices.filter(({ size, n, least, most }) => n !== size || (size > 0 && (least !== 0 || most !== size - 1)))
      .length,
    unknown: rows.filter((row) => !known.has(row.digest)).length,
  };
}

/** Sends every acked filing again: 200 with the same receipt. Returns those for which it is not so. */
export async function replayAll(load: Load, filings: readonly Sent[]): Promise<string[]> {
  const wrong: string[] = [];
  const queue = [...filings];
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let filing = queue.pop(); filing !== undefined; filing = queue.pop()) {
        let answer = await load.send(filing);
        for (let again = 0; again < 20 && answer?.status === 503; again++) {
          await sleep(200);
          answer = await load.send(filing);
        }
        if (answer?.status !== 200 || receiptText(answer) !== filing.receipt)
          wrong.push(`${filing.id}: ${answer?.status}`);
      }
    }),
  );
  return wrong;
}

/** mulberry32: a fault run prints its seed and can be repeated from it. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** From `FAULT_SEED`, or a new one; printed, so that the run can be repeated. */
export function chooseSeed(name: string): number {
  const seed = Number(process.env.FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`${name}: FAULT_SEED=${seed}\n`);
  return seed;
}
