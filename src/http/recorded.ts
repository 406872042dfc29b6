import { assert, GatewayError } from '../std/errors.ts';
import type { Recorder } from '../trail/record.ts';
import type { Authenticate } from './auth.ts';
import type { RequestCall } from './call.ts';
import type { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import { admit, type CompiledRoute } from './perform.ts';
import { PROBLEMS } from './problem.ts';
import type { Caller } from './route.ts';

export interface RecordingDeps {
  readonly authenticate: Authenticate;
  readonly limits: Limits | undefined;
  readonly recorder: Pick<Recorder, 'record'>;
  readonly failures: Failures;
}

type Party = Exclude<Caller, { role: 'anonymous' }>;

/**
 * The way of a request whose route is recorded; `perform.ts` has that of all others. Nothing is changed before a row says
 * that it was begun, nothing that was read leaves before a row says that it does, and what is refused to a party that is
 * known is a row too.
 */
export async function performRecorded(
  compiled: CompiledRoute,
  call: RequestCall,
  deps: RecordingDeps,
): Promise<Response> {
  const entry = new Entry(compiled, call, deps);
  try {
    await admit(compiled, call, deps.authenticate, deps.limits);
  } catch (error) {
    await entry.refused(error);
    throw error;
  }
  return compiled.route.recorded === 'content' ? read(compiled, call, entry) : act(compiled, call, entry);
}

async function read(compiled: CompiledRoute, call: RequestCall, entry: Entry): Promise<Response> {
  let response: Response;
  try {
    response = await compiled.route.handle(call);
  } catch (error) {
    await entry.refused(error);
    throw error;
  }
  // It was answered when its time was over: nothing of this leaves any more.
  if (call.resolve === undefined) return response;
  try {
    await entry.add(String(response.status));
  } catch (error) {
    void response.body?.cancel();
    throw error;
  }
  if (!isStream(compiled, call, response)) return response;
  return watched(response, { ended: async () => {}, cut: () => entry.addLate(cutShort(response)) });
}

async function act(compiled: CompiledRoute, call: RequestCall, entry: Entry): Promise<Response> {
  call.onBegin = (actor, target) => entry.begin(actor, target);
  let response: Response;
  try {
    if (compiled.route.access !== 'public') await entry.begin(callerOf(call), entry.target());
    response = await compiled.route.handle(call);
  } catch (error) {
    // Whatever went wrong is the answer, also when the database that failed cannot take this row either.
    if (entry.hasBegun) await entry.addLate(entry.resultOf(error));
    else if (call.caller.role !== 'anonymous') await entry.refused(error);
    throw error;
  }
  if (call.isUnchanged && !entry.hasBegun) return response;
  assert(entry.hasBegun, 'what administers is entered in the trail before it is done');
  const { status } = response;
  if (isStream(compiled, call, response))
    return watched(response, {
      ended: () => entry.finish(String(status)),
      cut: () => entry.addLate(cutShort(response)),
    });
  await entry.finish(String(status));
  return response;
}

/** The rows of one request. */
class Entry {
  readonly #compiled: CompiledRoute;
  readonly #call: RequestCall;
  readonly #deps: RecordingDeps;
  #actor: Party | undefined;
  #target: string | undefined;
  hasBegun = false;

  constructor(compiled: CompiledRoute, call: RequestCall, deps: RecordingDeps) {
    this.#compiled = compiled;
    this.#call = call;
    this.#deps = deps;
  }

  async begin(actor: Party, target: string): Promise<void> {
    // Who comes with a token has been counted. Counted apart from filings, which others cannot send again without end.
    if (this.#call.caller.role === 'anonymous') this.#deps.limits?.admit(`signed ${actor.party}`, actor.role);
    this.#actor = actor;
    this.#target = target;
    await this.add('begun');
    this.hasBegun = true;
    // Answered while the row was waited for: whoever was told that nothing was done must be right.
    if (this.#call.resolve === undefined) throw new GatewayError('unavailable');
  }

  /** Throws when the row cannot be written. */
  add(result: string): Promise<void> {
    const { role, party } = this.#actor ?? callerOf(this.#call);
    const { details, requestId: request } = this.#call;
    const target = this.#target ?? this.target();
    const action = this.#compiled.operationId;
    return this.#deps.recorder.record({ role, party, action, target, result, request, ...(details && { details }) });
  }

  /** The row of an act that is done. What is done stays done without it, but nobody may take it for recorded. */
  async finish(result: string): Promise<void> {
    try {
      await this.add(result);
    } catch (cause) {
      throw new GatewayError('outcome-unknown', { detail: NOT_ENDED, cause });
    }
  }

  /** A row that comes when the answer is decided: that it could not be written is told in the log. */
  async addLate(result: string): Promise<void> {
    await this.add(result).catch((error: unknown) => this.#deps.failures.explain(error));
  }

  /**
   * A refusal, when it is known who was refused. Neither what went wrong here nor what was too much: a limit would bound
   * nothing if going beyond it made rows.
   */
  async refused(thrown: unknown): Promise<void> {
    const error = this.#deps.failures.toGatewayError(thrown);
    const { status } = PROBLEMS[error.code];
    if (status >= 500 || error.code === 'rate-limited') return;
    const { caller } = this.#call;
    if (caller.role === 'anonymous') {
      const { known } = error.details;
      if (known === undefined || !this.#isWithinLimit(known)) return;
      this.#actor = known;
    }
    await this.add(this.resultOf(error));
  }

  /**
   * Whose token was refused has not been counted yet. Counted apart from what the party itself does: whoever has a token of
   * it that has ended must not use up its limit.
   */
  #isWithinLimit({ party, role }: Party): boolean {
    const { limits } = this.#deps;
    if (limits === undefined) return true;
    const apart = `refused ${party}`;
    if (limits.blocked(apart, role) !== undefined) return false;
    limits.take(apart, role);
    return true;
  }

  resultOf(thrown: unknown): string {
    const { code } = this.#deps.failures.toGatewayError(thrown);
    return `${PROBLEMS[code].status} ${code}`;
  }

  /** The ids in the path; `-` for what is no id, so that nothing else gets into the trail. */
  target(): string {
    const names = [...this.#compiled.route.path.matchAll(/\{([^}*]+)\*?\}/g)].map(([, name]) => name ?? '');
    const values = this.#call.pathValues();
    const ids = names.map((name) => values.get(name)?.[0] ?? '');
    return ids.length > 0 && ids.every((id) => ID.test(id)) ? ids.join('/') : NOTHING;
  }
}

const ID = /^[A-Za-z0-9._-]{1,64}$/;
const NOTHING = '-';

const NOT_ENDED = {
  zh: '操作可能已完成，但其审计记录未能写完。请原样重发：重复提交不会有其他效果。',
  en: 'This may have been done, but its entry in the audit trail could not be completed. Send it again as it is: that has no further effect.',
};

function callerOf({ caller }: RequestCall): Party {
  assert(caller.role !== 'anonymous', 'what is recorded is done by somebody');
  return caller;
}

function isStream(compiled: CompiledRoute, call: RequestCall, response: Response): boolean {
  return compiled.isStreamed && call.method !== 'HEAD' && response.body !== null;
}

function cutShort({ status }: Response): string {
  return `${status} cut-short`;
}

/**
 * A streamed answer whose end waits for `ended`: when that fails, the answer breaks off, so that it is not taken for whole.
 * `cut` is told, once, when it breaks off or is not read to its end.
 */
function watched(
  response: Response,
  { ended, cut }: { readonly ended: () => Promise<void>; readonly cut: () => Promise<void> },
): Response {
  const reader = response.body?.getReader();
  assert(reader !== undefined, 'a streamed answer has a body');
  let isOver = false;
  const breakOff = async (): Promise<void> => {
    if (isOver) return;
    isOver = true;
    await cut();
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      let part: { readonly done: boolean; readonly value?: Uint8Array | undefined };
      try {
        part = await reader.read();
      } catch (error) {
        await breakOff();
        throw error;
      }
      // The reader went while this part was made.
      if (isOver) return;
      if (part.value !== undefined) return controller.enqueue(part.value);
      isOver = true;
      await ended();
      controller.close();
    },
    async cancel(reason) {
      // Told first: what is underneath may wait for something before it lets go.
      await Promise.all([breakOff(), reader.cancel(reason)]);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}
