import type { Answer } from '../support/wire.ts';
import { ask as send } from '../support/wire.ts';
import type { Ask } from './entry.ts';
import type { World } from './world.ts';

/** A row of the route table, as the OpenAPI document tells it. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operationId: string;
  readonly access: 'public' | readonly string[];
}

export async function readOperations({ gateway }: World): Promise<Operation[]> {
  type Described = { readonly operationId: string; readonly 'x-access': Operation['access'] };
  const document = (await gateway.ask('GET', '/openapi.json')).json() as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      method: method.toUpperCase(),
      path,
      operationId: described.operationId,
      access: described['x-access'],
    })),
  );
}

/** How many requests were sent. */
export const sent = { count: 0 };

export function request({ gateway }: World, { method }: Operation, ask: Ask, token?: string): Promise<Answer> {
  sent.count++;
  const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  return send(gateway.connections, method, gateway.url + ask.path, {
    headers: { ...ask.headers, ...authorization },
    ...(ask.body === undefined ? {} : { body: ask.body }),
  });
}

/** Differ with every request, whatever was asked for: how much is left of a limit, the time. */
const PASSING = ['date', 'ratelimit'];

/** All of an answer, status, headers and bytes, but for the request's id. Two of them that are equal tell nothing apart. */
export function imprint(answer: Answer): string {
  const id = String(answer.headers['x-request-id']);
  const headers = Object.entries(answer.headers)
    .filter(([name]) => !PASSING.includes(name))
    // Ids grow by a digit now and then, and lengths with them; the text itself is compared.
    .map(([name, value]) => (name === 'content-length' ? name : `${name}: ${String(value)}`))
    .sort();
  return [answer.status, ...headers, answer.text].join('\n').replaceAll(id, '<id>');
}

/** What tells one answer from another, in a line. */
export function firstDifference(a: Answer, b: Answer): string {
  const [left, right] = [a, b].map((answer) => imprint(answer).split('\n')) as [string[], string[]];
  const at = left.findIndex((line, i) => line !== right[i]);
  return `${left[at] ?? 'nothing'}, but ${right[at] ?? 'nothing'}`;
}

/** Runs jobs, some at a time, and gathers what they found wrong. */
export async function gather(jobs: readonly (() => Promise<string | undefined>)[], atOnce = 8): Promise<string[]> {
  const wrong: string[] = [];
  const queue = [...jobs];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
        const found = await job();
        if (found !== undefined) wrong.push(found);
      }
    }),
  );
  return wrong;
}
