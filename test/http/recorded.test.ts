import { connect } from 'node:net';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { Limits } from '../../src/http/limits.ts';
import { type Call, type Route, route } from '../../src/http/route.ts';
import { streamedBody } from '../../src/http/streamed.ts';
import { systemClock } from '../../src/std/clock.ts';
import { GatewayError } from '../../src/std/errors.ts';
import type { TrailEvent } from '../../src/trail/chain.ts';
import { HandClock } from '../support/identity.ts';
import { until } from '../support/until.ts';
import { testApp, testServer } from './support.ts';

const SECRET = 'what-was-filed';
const text = { 200: { description: 'Text', media: { 'text/plain': Type.String() } } };
const lines = { 200: { description: 'Lines', media: { 'application/x-ndjson': Type.String() } } };

const who = async (token: string) => {
  if (token === 'expired') throw new GatewayError('unauthenticated', { detail: { zh: '', en: '' }, known: FILER });
  if (token === 'garbage') throw new GatewayError('unauthenticated');
  return token === 'operator' ? ({ role: 'operator', party: 'op' } as const) : FILER;
};
const FILER = { role: 'filer', party: 'f1' } as const;

/** What happened, in order: rows and what the handlers did. */
class Story {
  readonly events: string[] = [];
  isClosed: (event: TrailEvent) => boolean = () => false;
  readonly record = async (event: TrailEvent): Promise<void> => {
    if (this.isClosed(event)) throw new GatewayError('unavailable');
    const { role, party, action, target, result, details } = event;
    const more = details === undefined ? '' : ` ${JSON.stringify(details)}`;
    this.events.push(`${role} ${party} ${action} ${target} ${result}${more}`);
  };
  did = (what: string): void => void this.events.push(what);
}

type Definition = Omit<Partial<Route>, 'handle'> & {
  handle: (call: Call<unknown, unknown, unknown>) => Promise<Response>;
};

function appOf(definition: Definition, story: Story, limits?: Limits) {
  const made = route({
    method: 'GET',
    path: '/things/{id}',
    operationId: 'thing',
    tag: 't',
    summary: { zh: '', en: '' },
    access: ['filer', 'operator'],
    responses: text,
    ...definition,
  } as Route);
  const authenticate = (authorization: string) => who(authorization.replace('Bearer ', ''));
  return { made, options: { authenticate, record: story.record, ...(limits === undefined ? {} : { limits }) } };
}

async function ask(definition: Definition, token: string | undefined, story = new Story(), path = '/things/x-1') {
  const { made, options } = appOf(definition, story);
  const { app, log } = testApp([made], options);
  const method = definition.method ?? 'GET';
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const response = await app.request(path, { method, headers });
  return { status: response.status, body: await response.text(), story: story.events, log };
}

describe('reading', () => {
  const reading = (did: (what: string) => void): Definition => ({
    recorded: 'content',
    handle: async (call) => {
      did('read');
      call.note({ from: 3 });
      return new Response(SECRET);
    },
  });

  test('is a row with what was read, before anything leaves', async () => {
    const story = new Story();
    expect(await ask(reading(story.did), 'filer', story)).toMatchObject({
      status: 200,
      body: SECRET,
      story: ['read', 'filer f1 thing x-1 200 {"from":3}'],
    });
  });

  test('is answered 503, without a byte of it, when the row cannot be written', async () => {
    const story = new Story();
    story.isClosed = () => true;
    const { status, body } = await ask(reading(story.did), 'filer', story);
    expect(status).toBe(503);
    expect(body).not.toContain(SECRET);
  });

  test('that fails inside is none', async () => {
    const handle = () => Promise.reject(new Error('fault'));
    expect(await ask({ recorded: 'content', handle }, 'filer')).toMatchObject({ status: 500, story: [] });
  });
});

describe('refusals', () => {
  const refusing: Definition = {
    recorded: 'content',
    access: ['operator'],
    handle: () => Promise.reject(new GatewayError('not-found')),
  };

  test.each([
    ['a role that may not', 'filer', 403, ['filer f1 thing x-1 403 forbidden']],
    ['what does not exist', 'operator', 404, ['operator op thing x-1 404 not-found']],
    ['a token that has expired', 'expired', 401, ['filer f1 thing x-1 401 unauthenticated']],
    ['a token that is none', 'garbage', 401, []],
    ['no token', undefined, 401, []],
  ])('%s', async (_, token, status, story) => {
    expect(await ask(refusing, token)).toMatchObject({ status, story });
  });

  test('are 503 when they cannot be recorded', async () => {
    const story = new Story();
    story.isClosed = () => true;
    expect(await ask(refusing, 'filer', story)).toMatchObject({ status: 503 });
  });

  test('what is no id does not get into the trail', async () => {
    const path = `/things/${encodeURIComponent('张三 <b>')}`;
    expect((await ask(refusing, 'filer', new Story(), path)).story).toEqual(['filer f1 thing - 403 forbidden']);
  });

  test('beyond the rate limit make no rows; tokens that were refused count apart from what their party does', async () => {
    const one = { ratePerSecond: 0.001, burst: 3 };
    const limits = new Limits(systemClock, { filer: one, agent: one, office: one, operator: one });
    const story = new Story();
    const { made, options } = appOf(refusing, story, limits);
    const { app } = testApp([made], options);
    const statuses: number[] = [];
    const tokens = ['expired', 'expired', 'expired', 'expired', 'filer', 'filer', 'filer', 'filer'];
    for (const token of tokens)
      statuses.push((await app.request('/things/x', { headers: { Authorization: `Bearer ${token}` } })).status);
    expect(statuses).toEqual([401, 401, 401, 401, 403, 403, 403, 429]);
    expect(story.events.filter((row) => row.endsWith('401 unauthenticated')).length).toBe(3);
    expect(story.events.length).toBe(6);
  });
});

describe('administering', () => {
  const acting = (did: (what: string) => void, more: Partial<Definition> = {}): Definition => ({
    method: 'PUT',
    access: ['operator'],
    recorded: 'administration',
    handle: async () => {
      did('done');
      return new Response('ok', { status: 201 });
    },
    ...more,
  });

  test('stands between two rows', async () => {
    const story = new Story();
    expect(await ask(acting(story.did), 'operator', story)).toMatchObject({
      status: 201,
      story: ['operator op thing x-1 begun', 'done', 'operator op thing x-1 201'],
    });
  });

  test('is not done without the first', async () => {
    const story = new Story();
    story.isClosed = () => true;
    expect(await ask(acting(story.did), 'operator', story)).toMatchObject({ status: 503, story: [] });
  });

  test('is told as unknown without the second', async () => {
    const story = new Story();
    story.isClosed = ({ result }) => result !== 'begun';
    const { status, body } = await ask(acting(story.did), 'operator', story);
    expect([status, JSON.parse(body).code]).toEqual([503, 'outcome-unknown']);
    expect(story.events).toEqual(['operator op thing x-1 begun', 'done']);
  });

  test('that is refused, or fails, says so; that answer stays when the row cannot be written', async () => {
    const refusing = { handle: () => Promise.reject(new GatewayError('conflict')) };
    const story = new Story();
    const refused = await ask(acting(story.did, refusing), 'operator', story);
    expect(refused.story).toEqual(['operator op thing x-1 begun', 'operator op thing x-1 409 conflict']);
    const failed = await ask(acting(story.did, { handle: () => Promise.reject(new Error('x')) }), 'operator');
    expect(failed.story).toEqual(['operator op thing x-1 begun', 'operator op thing x-1 500 internal']);
    const closed = new Story();
    closed.isClosed = ({ result }) => result !== 'begun';
    expect(await ask(acting(story.did, refusing), 'operator', closed)).toMatchObject({ status: 409 });
  });

  test('by a signature begins when the handler knows whose it is', async () => {
    const story = new Story();
    const handle = async (call: Call<unknown, unknown, unknown>) => {
      await call.begin(FILER, 'kid');
      story.did('done');
      return new Response('ok');
    };
    const done = await ask(acting(story.did, { access: 'public', handle }), undefined, story);
    expect(done.story).toEqual(['filer f1 thing kid begun', 'done', 'filer f1 thing kid 200']);
    const unknown = { access: 'public', handle: () => Promise.reject(new GatewayError('bad-signature')) } as const;
    expect(await ask(acting(story.did, unknown), undefined)).toMatchObject({ status: 401, story: [] });
    const forgetful = await ask(acting(story.did, { access: 'public' }), undefined);
    expect(forgetful).toMatchObject({ status: 500, story: [] });
    expect(forgetful.log.text).toContain('request failed');
  });
});

describe('what is public and brought by signature', () => {
  const signed = (handle: Definition['handle']): Definition => ({
    method: 'PUT',
    access: 'public',
    recorded: 'administration',
    handle,
  });
  const beginning = signed(async (call) => {
    await call.begin(FILER, 'kid');
    return new Response('ok');
  });

  test('has a limit for each party, apart from that of its own requests', async () => {
    const two = { ratePerSecond: 0.001, burst: 2 };
    const limits = new Limits(systemClock, { filer: two, agent: two, office: two, operator: two });
    const story = new Story();
    const { made, options } = appOf(beginning, story, limits);
    const { app } = testApp([made], options);
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await app.request('/things/x', { method: 'PUT' })).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect(story.events.length).toBe(4);
    expect(limits.state('f1', 'filer').remaining).toBe(2);
    const headers = { Authorization: 'Bearer filer' };
    expect((await app.request('/things/x', { method: 'PUT', headers })).status).toBe(200);
  });

  test('is a row when it is refused before it has begun, of a caller that is known', async () => {
    const refusing = signed(() => Promise.reject(new GatewayError('bad-signature')));
    const row = 'filer f1 thing x-1 401 bad-signature';
    expect(await ask(refusing, 'filer')).toMatchObject({ status: 401, story: [row] });
    expect(await ask(refusing, undefined)).toMatchObject({ status: 401, story: [] });
  });

  test('is none when it was done before', async () => {
    const standing = signed(async (call) => {
      call.unchanged();
      return new Response('ok');
    });
    expect(await ask(standing, undefined)).toMatchObject({ status: 200, story: [] });
  });
});

describe('streams', () => {
  const PART = Buffer.alloc(256 * 1024, 'x');
  const streaming = (recorded: 'content' | 'administration', parts: () => AsyncIterable<Uint8Array>): Definition => ({
    recorded,
    responses: lines,
    handle: async (call) => {
      call.note({ from: 0 });
      return new Response(streamedBody(parts(), { gzip: false }));
    },
  });
  async function* some() {
    for (let i = 0; i < 3; i++) yield PART;
  }

  test('are read to their end: one row; an act ends with its row before the stream does', async () => {
    expect((await ask(streaming('content', some), 'filer')).story).toEqual(['filer f1 thing x-1 200 {"from":0}']);
    const acted = await ask(streaming('administration', some), 'operator');
    expect(acted.story).toEqual(['operator op thing x-1 begun', 'operator op thing x-1 200 {"from":0}']);
  });

  test.each(['content', 'administration'] as const)(
    'of %s that fail on the way have a row that says so',
    async (recorded) => {
      const story = new Story();
      const { made, options } = appOf(
        streaming(recorded, async function* () {
          yield PART;
          throw new Error('fault');
        }),
        story,
      );
      const server = await testServer([made], options);
      try {
        const headers = { Authorization: 'Bearer operator' };
        const answer = await fetch(`http://127.0.0.1:${server.port}/things/x`, { headers });
        expect(answer.status).toBe(200);
        await expect(answer.arrayBuffer()).rejects.toThrow();
        const first = recorded === 'content' ? '200 {"from":0}' : 'begun';
        const rows = [first, '200 cut-short {"from":0}'].map((result) => `operator op thing x ${result}`);
        await until('both rows stand', () => story.events.length >= 2);
        expect(story.events).toEqual(rows);
      } finally {
        await server.close(0);
      }
    },
  );

  test('whose reader goes away have a row that says so', async () => {
    const story = new Story();
    let isEnded = false;
    const endless = async function* () {
      try {
        for (;;) yield PART;
      } finally {
        isEnded = true;
      }
    };
    const { made, options } = appOf(streaming('content', endless), story);
    const server = await testServer([made], options);
    try {
      const socket = connect(server.port, '127.0.0.1', () =>
        socket.write('GET /things/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer filer\r\n\r\n'),
      );
      await new Promise((resolve) => socket.once('data', resolve));
      expect(story.events).toEqual(['filer f1 thing x 200 {"from":0}']);
      socket.destroy();
      await until('the second row stands', () => story.events.length === 2);
      expect(story.events[1]).toBe('filer f1 thing x 200 cut-short {"from":0}');
      await until('nothing is made any more', () => isEnded);
    } finally {
      await server.close(0);
    }
  });

  test('of an act whose last row cannot be written break off', async () => {
    const story = new Story();
    story.isClosed = ({ result }) => result !== 'begun';
    const { made, options } = appOf(streaming('administration', some), story);
    const server = await testServer([made], options);
    try {
      const headers = { Authorization: 'Bearer operator' };
      const answer = await fetch(`http://127.0.0.1:${server.port}/things/x`, { headers });
      await expect(answer.arrayBuffer()).rejects.toThrow();
    } finally {
      await server.close(0);
    }
  });
});

test('what is not recorded makes no rows and needs no trail', async () => {
  const story = new Story();
  story.isClosed = () => true;
  expect(await ask({ handle: async () => new Response('open') }, 'filer', story)).toMatchObject({
    status: 200,
    body: 'open',
  });
});

test('an act whose row comes after its sender was sent away is not done any more', async () => {
  const clock = new HandClock();
  const story = new Story();
  let isDone = false;
  const made = appOf(
    {
      method: 'PUT',
      recorded: 'administration',
      handle: async () => {
        isDone = true;
        return new Response('ok');
      },
    },
    story,
  );
  let open = (): void => {};
  const record = async (event: TrailEvent): Promise<void> => {
    if (event.result === 'begun')
      await new Promise<void>((resolve) => {
        open = resolve;
      });
    await story.record(event);
  };
  const { app } = testApp([made.made], { ...made.options, record, clock });
  const answer = app.request('/things/x', { method: 'PUT', headers: { Authorization: 'Bearer operator' } });
  clock.pass(10_000);
  expect((await answer).status).toBe(503);
  open();
  await until('both rows stand', () => story.events.length === 2);
  expect(story.events.map((each) => each.split(' ')[4])).toEqual(['begun', '503']);
  expect(isDone).toBe(false);
});
