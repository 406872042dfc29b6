import { describe, expect, test } from 'vitest';
import { type Prefilled, payloadBytes, payloadDigest, ShenbaoClient, ShenbaoError } from '../../src/client/client.ts';
import { generateKey } from '../../src/client/keys.ts';
import { type FieldValues, zeroPayload } from '../../src/client/zero.ts';
import { FAST, json, type Reply, serveReplies } from './support.ts';

const place = (pointer: string): Prefilled['fill'][number] => ({
  pointer,
  title: { zh: '申报人类别', en: 'kind of filer' },
});

function prefilled(changes: Partial<Prefilled> = {}): Prefilled {
  return {
    payload: {
      type: 'tax.vat.small',
      version: '2021-08',
      filer: '91350100M000100Y43',
      period: { from: '2026-07-01', to: '2026-09-30' },
      office: '13501000000',
      kind: 'original',
      data: { filerKind: 'enterprise', lines: { due: { goodsPeriod: 0 } } },
    },
    carriedFrom: [],
    fill: [],
    zero: { allowed: true, because: [] },
    ...changes,
  };
}

const nothingStands = (): Promise<never> => Promise.reject(new Error('nothing stands'));
const zero = (begun: Prefilled, fields: FieldValues = {}, digest = '') =>
  zeroPayload(begun, fields, 'en', digest === '' ? nothingStands : async () => ({ digest }));

async function failure(answer: Promise<unknown>): Promise<ShenbaoError> {
  const error: unknown = await answer.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ShenbaoError);
  return error as ShenbaoError;
}

describe('a zero filing', () => {
  test('is the payload as the gateway begins it', async () => {
    expect(await zero(prefilled())).toEqual(prefilled().payload);
  });

  test('is refused when the type has none, and when there is something to say, by its name', async () => {
    const none = await failure(zero(prefilled({ zero: { allowed: false, because: [] } })));
    expect(none).toMatchObject({ code: 'no-zero-filing', message: expect.stringMatching(/has no zero filing/) });
    const because = [place('/data/filerKind'), ...Array.from({ length: 6 }, (_, i) => place(`/data/x${i}`))];
    const open = await failure(zero(prefilled({ zero: { allowed: false, because } })));
    expect(open.message).toContain('kind of filer (/data/filerKind)');
    expect(open.message).toContain('and 2 more');
  });

  test('takes the fields that are given, and what they cover is said', async () => {
    const begun = prefilled({
      zero: { allowed: false, because: [place('/data/filerKind'), place('/data/quarters/q1')] },
    });
    const given = { '/data/filerKind': 'individual', '/data/quarters': { q1: 1 }, '/data/list/0/a~1b': 7 };
    expect((await zero(begun, given)).data).toEqual({
      filerKind: 'individual',
      lines: { due: { goodsPeriod: 0 } },
      quarters: { q1: 1 },
      list: { '0': { 'a/b': 7 } },
    });
    expect(begun.payload.data).toMatchObject({ filerKind: 'enterprise' });
    expect((await failure(zero(begun, { '/data/filerKind': 'individual' }))).message).toContain('/data/quarters/q1');
    for (const pointer of ['/filer', '/data/__proto__/x', '/data/__proto__', 'data'])
      expect(await failure(zero(prefilled(), { [pointer]: 1 }))).toMatchObject({ code: 'usage' });
  });

  test('when something stands: the same one goes again, another is refused with its id', async () => {
    const begun = prefilled({ standing: { id: '13501000000.7', kind: 'original' } });
    const digest = payloadDigest(payloadBytes(begun.payload));
    expect(await zero(begun, {}, digest)).toEqual(begun.payload);
    expect(await failure(zero(begun, {}, 'other'))).toMatchObject({
      code: 'filing-conflict',
      message: expect.stringContaining('13501000000.7'),
    });
  });
});

describe('the calls', () => {
  const token: Reply = json(200, { access_token: 'x', token_type: 'Bearer', expires_in: 600 });

  async function clientOf(...replies: readonly Reply[]) {
    const { url, seen } = await serveReplies(token, ...replies);
    const key = await generateKey('EdDSA', '91350100M000100Y43');
    return { client: new ShenbaoClient({ gateway: url, issuer: url, key, retry: FAST }), seen };
  }

  test('ask for the client’s own party unless told otherwise', async () => {
    const { client, seen } = await clientOf(json(200, prefilled()));
    await client.obligations();
    await client.obligations({ filer: '92510100MA61WJ3204', from: '2026-10-01', to: '2026-10-31' });
    await client.prefill({ type: 'tax.vat.small', period: '2026-Q3' });
    expect(seen.slice(1).map(({ url }) => url)).toEqual([
      '/v1/filers/91350100M000100Y43/obligations',
      '/v1/filers/92510100MA61WJ3204/obligations?from=2026-10-01&to=2026-10-31',
      '/v1/filers/91350100M000100Y43/prefill?type=tax.vat.small&period=2026-Q3',
    ]);
  });

  test('fileZero begins, signs and submits', async () => {
    const filing = { id: '13501000000.0' };
    const { client, seen } = await clientOf(json(200, prefilled()), json(201, filing));
    const submitted = await client.fileZero({
      type: 'tax.vat.small',
      period: '2026-Q3',
      fields: { '/data/filerKind': 'individual' },
    });
    expect(submitted).toEqual({ filing, replayed: false });
    const [, payload] = String(seen[2]?.body).split('.');
    expect(JSON.parse(Buffer.from(payload ?? '', 'base64url').toString())).toMatchObject({
      kind: 'original',
      data: { filerKind: 'individual' },
    });
  });
});
