import type { Static, TSchema } from 'typebox';
import type { PartyKind } from '../identity/records.ts';
import type { ErrorCode } from '../std/errors.ts';
import type { Language, Text } from '../std/text.ts';
import type { TrailDetails } from '../trail/chain.ts';

/** Who is asking, as the access token says; a request without a token is anonymous. */
export type Caller = { readonly role: 'anonymous' } | { readonly role: PartyKind; readonly party: string };

/** `public`: no token needed (one that is sent must still be valid). Otherwise the roles that may call it. */
export type Access = 'public' | readonly PartyKind[];

/** The body of a request, by media type. `json` is parsed strictly and validated before the handler runs. */
export type BodyDefinition<B extends TSchema> =
  | { readonly kind: 'json'; readonly schema: B; readonly limitBytes?: number }
  | {
      readonly kind: 'raw';
      /** Accepted media types, each with its schema for the OpenAPI document. */
      readonly media: Readonly<Record<string, TSchema>>;
      readonly limitBytes: number;
    };

export interface ResponseDefinition {
  readonly description: string;
  /** By media type; absent for an empty body. */
  readonly media?: Readonly<Record<string, TSchema>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a handler gets. `params` and `query` are validated and converted by their schemas. */
export interface Call<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  /** Parsed and validated; only for `body.kind: 'json'`. */
  readonly body: B;
  readonly caller: Caller;
  readonly language: Language;
  readonly requestId: string;
  /** When the whole request had arrived: set once the body was read; milliseconds since the epoch. */
  receivedAt(): number;
  header(name: string): string | undefined;
  /** Media type of the body without parameters, lower case. */
  readonly mediaType: string;
  /** The whole body as text under the route's limit. Bytes that are not UTF-8 are refused as `malformed`. */
  text(): Promise<string>;
  /** The body as it arrives, under the route's limit. */
  stream(): AsyncIterable<Uint8Array>;
  /** Aborted when the client went away. */
  readonly signal: AbortSignal;
  /** For an operation that is recorded: what its row in the audit trail says beside the ids in the path. No values of a body. */
  note(details: TrailDetails): void;
  /**
   * For a recorded operation that is public: enters the act in the audit trail, for the party whose signature was found
   * good, before it is done. Without a signature nobody is known, and strangers would fill the trail.
   */
  begin(actor: Exclude<Caller, { role: 'anonymous' }>, target: string): Promise<void>;
  /** For the same, in place of `begin`: what is asked for was done before, so that nothing is done and nothing entered. */
  unchanged(): void;
}

/**
 * One operation of the contract: what the router routes by, what the validator checks with, what the OpenAPI document
 * is made from, and what the access matrix is generated from.
 */
export interface Route<P extends TSchema = TSchema, Q extends TSchema = TSchema, B extends TSchema = TSchema> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** In OpenAPI's form: `/v1/filings/{id}`. A last `{name*}` takes the rest of the path. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: string;
  readonly summary: Text;
  readonly access: Access;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: BodyDefinition<B>;
  readonly responses: Readonly<Record<number, ResponseDefinition>>;
  /** For an operation that works longer than others may: how long until it is answered 503 all the same. */
  readonly answerWithinMs?: number;
  /**
   * What the audit trail keeps of it: an act of administration (entered before it begins and when it has ended), or a
   * reading of content (entered before the first byte leaves). Absent: nothing. Public ones are entered by their handlers,
   * with `Call.begin`, once they know who acts.
   */
  readonly recorded?: 'administration' | 'content';
  /** Codes that this operation adds to those that every operation can answer with. */
  readonly errors?: readonly ErrorCode[];
  handle(call: Call<Static<P>, Static<Q>, Static<B>>): Promise<Response> | Response;
}

/** A route with its types checked where it is written and forgotten where it is listed. */
export function route<P extends TSchema, Q extends TSchema, B extends TSchema>(definition: Route<P, Q, B>): Route {
  return definition as unknown as Route;
}

/** Media types that a success of the route can have. With more than one there is a choice, which `Accept` makes. */
export function successMedia(route: Route): readonly string[] {
  const successes = Object.entries(route.responses).filter(([status]) => Number(status) < 300);
  return [...new Set(successes.flatMap(([, response]) => Object.keys(response.media ?? {})))];
}

/** Bytes of a body when the route names no limit. */
const LIMIT_BYTES = 1024 * 1024;

export function bodyLimitBytes(body: Route['body']): number {
  return body?.limitBytes ?? LIMIT_BYTES;
}
