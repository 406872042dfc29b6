// The SDK: everything that `import ... from 'shenbao/client'` offers. Runs in Node 20 and in browsers; needs fetch,
// WebCrypto and TextEncoder.
import type { FilingPayload } from '../domain/filing.ts';
import type { Receipt } from '../domain/statement.ts';
import type { Hash } from '../log/merkle.ts';
import { type Clock, systemClock } from '../std/clock.ts';
import type { Language } from '../std/text.ts';
import { encodeLines, exchangeLines, type NumberedLine, numberLines } from './bulk.ts';
import { ShenbaoError } from './errors.ts';
import { payloadBytes, signFiling, signManifest } from './filing.ts';
import type { FlattenedJws } from './jws.ts';
import { importSigningKey, type Jwk, type Jwks, type SigningKey } from './keys.ts';
import { Mandates } from './mandates.ts';
import { joinBytes } from './ndjson.ts';
import { OfficeLog } from './office.ts';
import { type ReceiptOptions, type ReceiptReport, verifyReceipt } from './receipt.ts';
import {
  contentOf,
  filingPath,
  isPayload,
  joseBody,
  jwsLine,
  payloadLine,
  queryText,
  type Submission,
} from './requests.ts';
import { DEFAULT_RETRY, type RetryPolicy, sleep } from './retry.ts';
import { sha256 } from './sha256.ts';
import { type TokenSource, tokenSource } from './token.ts';
import { TrailLog } from './trail.ts';
import { asJson, asText, type Call, createTransport, type Transport } from './transport.ts';
import type {
  BulkResult,
  Filing,
  FilingQuery,
  Heads,
  ImportResult,
  Obligations,
  ObligationsQuery,
  Page,
  Prefilled,
  PrefillQuery,
  Reload,
  Submitted,
  Validation,
} from './types.ts';
import { type FieldValues, zeroPayload } from './zero.ts';

export interface ClientOptions {
  /** Where the gateway is, such as `http://127.0.0.1:8787`. */
  readonly gateway: string;
  /** A private JWK, or a signer of your own. Needed to sign, and to read anything that is not public. */
  readonly key?: Jwk | SigningKey;
  /** The gateway's issuer URL; by default asked of the gateway once. */
  readonly issuer?: string;
  /** Of titles and details in errors. */
  readonly language?: Language;
  readonly retry?: Partial<RetryPolicy>;
  /** Told of every attempt that will be repeated. */
  readonly onRetry?: (error: ShenbaoError, waitMs: number) => void;
  /** SHA-256; by default our own in TypeScript. In Node, `node:crypto`'s is faster. */
  readonly hash?: Hash;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** One gateway, as one party. Safe to share: it holds nothing but a token and the gateway's public keys. */
export class ShenbaoClient {
  readonly #transport: Transport;
  readonly #hash: Hash;
  readonly #key: Promise<SigningKey> | undefined;
  readonly #clock: Clock;
  readonly #language: Language;
  #issuer: Promise<string> | undefined;
  #jwks: Promise<Jwks> | undefined;
  #tokens: Promise<TokenSource> | undefined;

  constructor(options: ClientOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#language = options.language ?? 'zh';
    this.#hash = options.hash ?? sha256;
    const random = options.random ?? uniform;
    const policy = { ...DEFAULT_RETRY, ...options.retry };
    const retry = { policy, clock: this.#clock, random, sleep };
    this.#transport = createTransport({
      base: options.gateway,
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
      retry: options.onRetry === undefined ? retry : { ...retry, onRetry: options.onRetry },
      language: this.#language,
    });
    if (options.issuer !== undefined) this.#issuer = Promise.resolve(options.issuer);
    if (options.key !== undefined) {
      this.#key = 'sign' in options.key ? Promise.resolve(options.key) : importSigningKey(options.key);
      // Reported where the key is used, not as an unhandled rejection.
      this.#key.catch(() => undefined);
    }
  }

  /** The gateway's issuer URL, which filings and token requests are addressed to. */
  issuer(): Promise<string> {
    this.#issuer ??= this.#remember(
      this.#transport
        .request<{ issuer: string }>('/.well-known/oauth-authorization-server', {}, asJson)
        .then(({ issuer }) => issuer),
      () => {
        this.#issuer = undefined;
      },
    );
    return this.#issuer;
  }

  /** Every public key that the gateway has ever signed with. Kept after the first call; `fresh` asks again. */
  jwks(fresh = false): Promise<Jwks> {
    if (fresh || this.#jwks === undefined) {
      this.#jwks = this.#remember(this.#transport.request<Jwks>('/.well-known/jwks.json', {}, asJson), () => {
        this.#jwks = undefined;
      });
    }
    return this.#jwks;
  }

  /** A payload as a compact JWS, ready to {@link submit}; keep it if you want to send the same bytes again later. */
  async sign(payload: FilingPayload | Uint8Array): Promise<string> {
    return signFiling(payload, await this.#signer(), await this.issuer());
  }

  /**
   * Files. Repeats the same bytes when no answer comes or the gateway is busy (429, 503), until the retry policy's
   * deadline; a filing that had arrived is answered with its original receipt. Throws a {@link ShenbaoError}: `code`
   * `invalid-filing` with all `errors`, `filing-conflict`, `unreachable` (nothing is known to be lost), ...
   */
  async submit(filing: Submission, options: CallOptions = {}): Promise<Submitted> {
    const content = isPayload(filing) ? await this.sign(filing) : contentOf(filing);
    return this.#transport.request(
      '/v1/filings',
      { method: 'POST', ...joseBody(content), ...options },
      async (response) => ({
        filing: await asJson<Filing>(response),
        replayed: response.headers.get('idempotent-replayed') === 'true',
      }),
    );
  }

  /**
   * Files many, in few requests, and yields one result a filing with its number in the input from 1. Form A (`jws`)
   * sends each as a JWS. Form B (`manifest`) signs once for all lines of a request: payloads only, and much cheaper.
   */
  async *submitBulk(
    filings: Iterable<Submission> | AsyncIterable<Submission>,
    options: CallOptions & { readonly form?: 'jws' | 'manifest'; readonly linesARequest?: number } = {},
  ): AsyncGenerator<BulkResult> {
    const { form = 'jws', signal } = options;
    const limits = { lines: options.linesARequest ?? 1_000, bytes: 32 * 1024 * 1024 };
    const exchange = {
      transport: this.#transport,
      path: '/v1/filings/bulk',
      limits: form === 'manifest' ? { ...limits, lines: Math.min(limits.lines, 9_999) } : limits,
      encode: form === 'manifest' ? (lines: readonly NumberedLine[]) => this.#signLines(lines) : encodeLines,
      open: (path: string, call: Call) => this.#transport.open(path, call),
      signal,
    };
    const lines =
      form === 'manifest' ? numberLines(filings, payloadLine) : numberLines(this.#signAll(filings), jwsLine);
    yield* exchangeLines<BulkResult>(exchange, lines);
  }

  /** The verdict that a submission would get; stores nothing. */
  validate(filing: Submission, options: CallOptions = {}): Promise<Validation> {
    const body = isPayload(filing)
      ? { headers: { 'content-type': 'application/json' }, body: payloadBytes(filing) }
      : joseBody(contentOf(filing));
    return this.#transport.request('/v1/validations', { method: 'POST', ...body, ...options }, asJson<Validation>);
  }

  /** A filing with its status and history. */
  filing(id: string, options: CallOptions = {}): Promise<Filing> {
    return this.#authorized(`${filingPath(id)}`, options, asJson<Filing>);
  }

  /** Filings that match, page after page. */
  async *filings(query: FilingQuery, options: CallOptions = {}): AsyncGenerator<Filing> {
    for (let next: string | null = ''; next !== null; ) {
      const path = `/v1/filings${queryText({ ...query, cursor: next === '' ? undefined : next })}`;
      const page: Page<Filing> = await this.#authorized(path, options, asJson<Page<Filing>>);
      yield* page.items;
      next = page.next;
    }
  }

  /** What a filer owes by due date, what of it is filed, and what is missing (漏报检查). */
  async obligations(query: ObligationsQuery = {}, options: CallOptions = {}): Promise<Obligations> {
    const { filer, ...range } = query;
    const path = `${await this.#filerPath(filer)}/obligations${queryText(range)}`;
    return this.#authorized(path, options, asJson<Obligations>);
  }

  /** What the next filing begins with: what the last one determines is carried over. */
  async prefill(query: PrefillQuery, options: CallOptions = {}): Promise<Prefilled> {
    const { filer, ...wanted } = query;
    return this.#authorized(`${await this.#filerPath(filer)}/prefill${queryText(wanted)}`, options, asJson<Prefilled>);
  }

  /**
   * Files that nothing happened in a period (零申报): {@link prefill}, sign, {@link submit}. `fields` gives values by pointer,
   * such as `{ '/data/filerKind': 'individual' }`. Throws as {@link submit}, and `no-zero-filing` when the type has none or
   * there is something to say of the period, and `filing-conflict` when something else stands for it.
   */
  async fileZero(
    { fields = {}, ...query }: PrefillQuery & { readonly fields?: FieldValues },
    options: CallOptions = {},
  ): Promise<Submitted> {
    const prefilled = await this.prefill(query, options);
    return this.submit(await zeroPayload(prefilled, fields, this.#language, (id) => this.filing(id, options)), options);
  }

  receipt(id: string, options: CallOptions = {}): Promise<Receipt> {
    const headers = { accept: 'application/json' };
    return this.#authorized(`${filingPath(id)}/receipt`, { headers, ...options }, asJson<Receipt>);
  }

  /** The receipt's statement as an ordinary compact JWS. */
  receiptJws(id: string, options: CallOptions = {}): Promise<string> {
    const headers = { accept: 'application/jose' };
    return this.#authorized(`${filingPath(id)}/receipt`, { headers, ...options }, asText);
  }

  /** The filing exactly as it was received. */
  content(id: string, options: CallOptions = {}): Promise<string> {
    return this.#authorized(`${filingPath(id)}/content`, options, asText);
  }

  /** Inclusion in the office's log under its newest checkpoint, or the first `cosigned` one, as a tlog-proof. */
  proof(id: string, { cosigned, ...options }: CallOptions & { readonly cosigned?: boolean } = {}): Promise<string> {
    return this.#authorized(`${filingPath(id)}/proof${queryText({ cosigned })}`, options, asText);
  }

  /** One office's log: checkpoint, entries, batches, {@link OfficeLog.pull}. */
  office(office: string): OfficeLog {
    return new OfficeLog(
      {
        transport: this.#transport,
        hash: this.#hash,
        issuer: () => this.issuer(),
        jwks: (fresh) => this.jwks(fresh),
        authorized: (path, call, read) => this.#authorized(path, call, read),
      },
      office,
    );
  }

  /** The audit trail: who administered or read what. For operators. */
  trail(): TrailLog {
    return new TrailLog({ authorized: (path, call, read) => this.#authorized(path, call, read), hash: this.#hash });
  }

  /** Whom a filer lets file for it: given and taken back by its signature. */
  mandates(): Mandates {
    return new Mandates({
      transport: this.#transport,
      clock: this.#clock,
      issuer: () => this.issuer(),
      signer: async () => this.#signer(),
      authorized: (path, call, read) => this.#authorized(path, call, read),
    });
  }

  /** Offices of an agency whose log grew since a cursor. With `waitSeconds` the gateway answers when one grows. */
  heads(agency: string, options: CallOptions & { since?: string; waitSeconds?: number } = {}): Promise<Heads> {
    const { since, waitSeconds = 0, signal } = options;
    const search = since === undefined ? '' : `?since=${encodeURIComponent(since)}`;
    const call: Call = {
      attemptMs: this.#transport.retry.policy.attemptMs + waitSeconds * 1000,
      ...(waitSeconds > 0 ? { headers: { prefer: `wait=${waitSeconds}` } } : {}),
      signal,
    };
    return this.#authorized(`/v1/agencies/${encodeURIComponent(agency)}/heads${search}`, call, asJson<Heads>);
  }

  /** The operator's import: NDJSON lines in, one result a line. Importing again changes nothing. */
  async *importLines(
    lines: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
    options: CallOptions & { readonly linesARequest?: number } = {},
  ): AsyncGenerator<ImportResult> {
    const exchange = {
      transport: this.#transport,
      path: '/v1/import',
      limits: { lines: options.linesARequest ?? 5_000, bytes: 8 * 1024 * 1024 },
      encode: encodeLines,
      open: (path: string, call: Call) => this.#authorized(path, call, async (response) => response),
      signal: options.signal,
    };
    yield* exchangeLines<ImportResult>(
      exchange,
      numberLines(lines, (line) => line),
    );
  }

  /** The operator's reload of the filing types: the gateway checks its folder, which takes seconds. Throws every fault in `errors`. */
  reloadFilingTypes(options: CallOptions = {}): Promise<Reload> {
    const call: Call = { method: 'POST', attemptMs: RELOAD_MS, ...options };
    return this.#authorized('/v1/filing-types/reload', call, asJson<Reload>);
  }

  /** {@link verifyReceipt} with the gateway's current keys and issuer. */
  async verifyReceipt(receipt: unknown, options: ReceiptOptions = {}): Promise<ReceiptReport> {
    const facts = { hash: this.#hash, issuer: await this.issuer(), ...options };
    return verifyReceipt(receipt, await this.jwks(), facts);
  }

  async *#signAll(filings: Iterable<Submission> | AsyncIterable<Submission>): AsyncGenerator<FlattenedJws | string> {
    for await (const filing of filings) yield isPayload(filing) ? await this.sign(filing) : filing;
  }

  async #signLines(lines: readonly NumberedLine[]): Promise<Uint8Array> {
    const payloads = lines.map(({ bytes }) => bytes);
    const manifest = await signManifest(payloads, await this.#signer(), await this.issuer(), this.#hash);
    return joinBytes([new TextEncoder().encode(`${JSON.stringify(manifest)}\n`)], encodeLines(lines));
  }

  async #filerPath(filer: string | undefined): Promise<string> {
    const id = filer ?? (await this.#signer()).sub;
    if (id === undefined) throw new ShenbaoError('usage', 'name the filer, or use a key with its sub');
    return `/v1/filers/${encodeURIComponent(id)}`;
  }

  #signer(): Promise<SigningKey> {
    if (this.#key === undefined) throw new ShenbaoError('usage', 'this call needs a key');
    return this.#key;
  }

  /** With an access token; with a new one, once, when the gateway refuses it. */
  async #authorized<T>(path: string, call: Call, read: (response: Response) => Promise<T>): Promise<T> {
    this.#tokens ??= this.#signer().then((key) => tokenSource(this.#transport, key, () => this.issuer(), this.#clock));
    const tokens = await this.#tokens;
    const attempt = async (fresh: boolean): Promise<T> => {
      const headers = { ...call.headers, authorization: `Bearer ${await tokens.get(fresh)}` };
      return this.#transport.request(path, { ...call, headers }, read);
    };
    try {
      return await attempt(false);
    } catch (error) {
      if (!(error instanceof ShenbaoError) || error.code !== 'unauthenticated') throw error;
      return attempt(true);
    }
  }

  #remember<T>(promise: Promise<T>, forget: () => void): Promise<T> {
    promise.catch(forget);
    return promise;
  }
}

/** About as long as the gateway itself takes at most; `fetch` in Node waits for no answer longer. */
const RELOAD_MS = 290_000;

/** In [0, 1), for jitter. */
function uniform(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
}

export type * from './content.ts';
export { verifyContent } from './content.ts';
export { type Cosigner, canCosign, cosigner } from './cosign.ts';
export type { Coverage } from './coverage.ts';
export { type EntriesReport, verifyEntries, verifyNationalEntries } from './entries.ts';
export { type Problem, ShenbaoError } from './errors.ts';
export type { Extension } from './extension.ts';
export { payloadBytes, payloadDigest, signFiling, signManifest } from './filing.ts';
export { type FlattenedJws, parseJws, signCompact, verifyJws } from './jws.ts';
export type * from './keys.ts';
export { generateKey, importSigningKey, publicJwk, thumbprint, verifySignature } from './keys.ts';
export { officeLeaf } from './leaf.ts';
export { type Mandate, Mandates, type MandateTerms, signMandate } from './mandates.ts';
export type * from './national.ts';
export { verifyNationalProof } from './national.ts';
export { splitLines } from './ndjson.ts';
export type * from './note.ts';
export { verifyCheckpoint } from './note.ts';
export { OfficeLog } from './office.ts';
export type * from './proof.ts';
export { filingOfReceipt, verifyProof } from './proof.ts';
export { LogReader, type PulledBatch, type PullOptions, type PullState, type VerifiedEntry } from './pull.ts';
export { type ReceiptOptions, type ReceiptReport, verifyReceipt } from './receipt.ts';
export type { Submission } from './requests.ts';
export type { RetryPolicy } from './retry.ts';
export { sha256 } from './sha256.ts';
export type { VerificationStep } from './steps.ts';
export { type ChainPosition, TRAIL_START, TrailChain, type TrailEntry, type TrailFilter, TrailLog } from './trail.ts';
export type * from './types.ts';
export type { FieldValues } from './zero.ts';
