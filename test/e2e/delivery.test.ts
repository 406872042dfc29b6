import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start } from '../cli/support.ts';
import { type CosigningOptions, cosignatureLine } from '../log/cosigner.ts';
import { verifyCheckpointNote } from '../log/note-verifier.ts';
import { expectProblem, type Filing, filingOf, INSTANT, receiptText } from '../support/expect.ts';
import { lodging, newParty, type SigningParty } from '../support/filer.ts';
import { type Gateway, type PartyName, startGateway } from '../support/gateway.ts';
import { OFFICE, operate, register, submit } from '../support/parties.ts';
import type { Answer } from '../support/wire.ts';

interface Delivery {
  readonly at: string;
  readonly size: number;
  readonly cosignature?: {
    readonly kid: string;
    readonly at: string;
    readonly size: number;
    readonly checkpoint: string;
  };
}
type Delivered = Filing & { readonly delivery?: Delivery };

interface Batch {
  readonly id: string;
  readonly to: number;
  readonly checkpoint: string;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

let gateway: Gateway;
let filer: SigningParty;
let folder: string;

beforeAll(async () => {
  gateway = await startGateway();
  filer = gateway.party('filer');
  folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-delivery-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await gateway.remove();
});

const get = (target: string, as: PartyName | SigningParty, headers = {}) => gateway.ask('GET', target, { as, headers });
const filingAs = async (id: string, as: PartyName | SigningParty = 'filer'): Promise<Delivered> =>
  filingOf(await get(`/v1/filings/${id}`, as), 200);

async function file(): Promise<{ id: string; payload: object; answer: Answer }> {
  const payload = lodging();
  const answer = await submit(gateway, filer, payload);
  return { id: filingOf(answer, 201).id, payload, answer };
}

/** An Ed25519 or other key, registered to an office. */
async function officeKey(office: string, alg: 'EdDSA' | 'ES256' = 'EdDSA'): Promise<SigningParty> {
  const key = newParty(office, alg);
  const body = { jwk: key.publicJwk, proof: key.proof(gateway.issuer) };
  await operate(gateway, 'POST', `/v1/parties/${office}/keys`, body);
  return key;
}

async function open(consumer: string, as: PartyName = 'psb', office: string = OFFICE.psb): Promise<Batch> {
  const target = `/v1/offices/${office}/consumers/${consumer}/batches`;
  const answer = await gateway.ask('POST', target, { as, headers: JSON_TYPE, body: '{}' });
  expect(answer.status, answer.text).toBe(201);
  return answer.json() as Batch;
}

function acknowledge(consumer: string, { id, to, checkpoint }: Batch, cosignature?: string): Promise<Answer> {
  const root = Buffer.from(checkpoint.split('\n')[2] ?? '', 'base64').toString('base64url');
  return gateway.ask('PUT', `/v1/offices/${OFFICE.psb}/consumers/${consumer}/batches/${id}/ack`, {
    as: 'psb',
    headers: JSON_TYPE,
    body: JSON.stringify({ size: to, root, cosignature }),
  });
}

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

function cosign(checkpoint: string, key: SigningParty, options: CosigningOptions = {}): string {
  const pair = { privateKey: key.privateKey, x: String(key.publicJwk.x) };
  return cosignatureLine(checkpoint, pair, { time: nowSeconds(), ...options });
}

/** The gateway's signature and the office's, each verified by software that is not the gateway's. */
async function expectCosigned(checkpoint: string, key: SigningParty, size: number): Promise<void> {
  const { keys } = (await gateway.ask('GET', '/.well-known/jwks.json')).json() as { keys: { x: string }[] };
  const origin = `${new URL(gateway.issuer).host}/offices/${OFFICE.psb}`;
  const raw = Buffer.from(keys[0]?.x ?? '', 'base64url');
  expect(verifyCheckpointNote(Buffer.from(checkpoint), origin, raw).size).toBe(BigInt(size));
  const [, name, base64 = ''] = checkpoint.trimEnd().split('\n').at(-1)?.split(' ') ?? [];
  expect(name).toBe(`${origin}/cosigner`);
  const bytes = Buffer.from(base64, 'base64');
  const text = checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1);
  const message = Buffer.from(`cosignature/v1\ntime ${bytes.readBigUInt64BE(4)}\n${text}`);
  const publicKey = createPublicKey({ key: key.publicJwk as never, format: 'jwk' });
  expect(verify(null, message, publicKey, bytes.subarray(12))).toBe(true);
}

const page = (id: string, language: 'zh' | 'en', as: PartyName | SigningParty = 'filer') =>
  get(`/v1/filings/${id}/receipt`, as, { Accept: 'text/html', 'Accept-Language': language });

describe('a filing', () => {
  test('is delivered when its office acknowledges, and cosigned when the office signs', async () => {
    const { id, payload, answer } = await file();
    const receipt = receiptText(answer);
    const tags = new Set<unknown>();
    const look = async (): Promise<Delivered> => {
      const seen = await get(`/v1/filings/${id}`, 'filer');
      tags.add(seen.headers.etag);
      // Whatever becomes of the filing, its receipt and the answer to a replay stay what they were.
      expect((await get(`/v1/filings/${id}/receipt`, 'filer')).text).toBe(receipt);
      const replay = await submit(gateway, filer, payload as never);
      expect([replay.status, replay.text]).toEqual([200, answer.text]);
      return filingOf(seen, 200);
    };

    const before = await look();
    expect(before).not.toHaveProperty('delivery');
    expect((await page(id, 'zh')).text).toContain('机关尚未确认收到');
    const batch = await open('main');
    expect((await get(`/v1/filings/${id}/proof?cosigned=true`, 'filer')).text).not.toContain('/cosigner ');

    expect((await acknowledge('main', batch)).json()).toEqual({ id: batch.id, size: batch.to, cursor: batch.to });
    const delivered = await look();
    const { delivery, ...rest } = delivered;
    expect(rest).toEqual(before);
    expect(delivery).toEqual({ at: expect.stringMatching(INSTANT), size: batch.to });
    expect((await page(id, 'zh')).text).toContain('已送达</span>');
    expect((await page(id, 'en')).text).toContain('Delivered</span>');

    const key = await officeKey(OFFICE.psb);
    const line = cosign(batch.checkpoint, key);
    for (const _ of ['first', 'again'])
      expect((await acknowledge('main', batch, line)).json()).toEqual({
        id: batch.id,
        size: batch.to,
        cursor: batch.to,
      });
    const { delivery: cosigned } = await look();
    expect(cosigned).toEqual({
      ...delivery,
      cosignature: {
        kid: key.kid,
        at: expect.stringMatching(INSTANT),
        size: batch.to,
        checkpoint: `${batch.checkpoint}${line}\n`,
      },
    });
    await expectCosigned(cosigned?.cosignature?.checkpoint ?? '', key, batch.to);
    expect(tags.size).toBe(3);

    for (const reader of ['filer', 'agent', 'psb'] as const) {
      expect((await filingAs(id, reader)).delivery).toEqual(cosigned);
      for (const [language, words] of [
        ['zh', '已送达，机关已会签'],
        ['en', 'Delivered, cosigned by the office'],
      ] as const) {
        const shown = (await page(id, language, reader)).text;
        expect(shown).toContain(words);
        expect(shown).toContain(line);
        expect(shown).toContain(String(key.publicJwk.x));
      }
    }
    for (const stranger of ['tax', 'operator', await register(gateway)] as const) {
      expectProblem(await page(id, 'zh', stranger), 404, 'not-found');
      expectProblem(await get(`/v1/filings/${id}/proof?cosigned=true`, stranger), 404, 'not-found');
    }
    const { items } = (await get('/v1/filings?type=psb.lodging', 'filer')).json() as { items: Delivered[] };
    expect(items.find((item) => item.id === id)?.delivery).toEqual(cosigned);
  });

  test('is proved under the checkpoint that the office has cosigned, as long as the log grows', async () => {
    const first = await file();
    const second = await file();
    const key = await officeKey(OFFICE.psb);
    const batch = await open('proving');
    await acknowledge('proving', batch, cosign(batch.checkpoint, key));
    const later = await file();
    const proof = (id: string, query = '') => get(`/v1/filings/${id}/proof${query}`, 'filer').then(({ text }) => text);
    for (const { id } of [first, second]) {
      const { cosignature } = (await filingAs(id)).delivery ?? {};
      const cosigned = await proof(id, '?cosigned=true');
      expect(cosigned.startsWith('c2sp.org/tlog-proof@v1\nindex ')).toBe(true);
      expect(cosigned.endsWith(`\n\n${cosignature?.checkpoint}`)).toBe(true);
      expect(await proof(id, '?cosigned=false')).not.toContain('/cosigner ');
      expect(await proof(id)).not.toContain('/cosigner ');
    }
    expect(await proof(later.id, '?cosigned=true')).not.toContain('/cosigner ');
    // The cosignature of a key that is revoked afterwards was good when it was made.
    await operate(gateway, 'DELETE', `/v1/keys/${key.kid}`, { reason: '测试' });
    expect(await proof(first.id, '?cosigned=true')).toContain('/cosigner ');
    expectProblem(await get(`/v1/filings/${first.id}/proof?cosigned=1`, 'filer'), 400, 'invalid-parameter');
  });
});

describe('a cosignature', () => {
  test('that is not the office’s over this checkpoint is refused, and nothing is acknowledged', async () => {
    const { id } = await file();
    const key = await officeKey(OFFICE.psb);
    const revoked = await officeKey(OFFICE.psb);
    await operate(gateway, 'DELETE', `/v1/keys/${revoked.kid}`, { reason: '测试' });
    const elsewhere = await officeKey(OFFICE.tax);
    const ecdsa = await officeKey(OFFICE.psb, 'ES256');
    const batch = await open('wrong');
    const { checkpoint, to } = batch;
    const otherSize = checkpoint.replace(`\n${to}\n`, `\n${to - 1}\n`);
    const wrong: Readonly<Record<string, string>> = {
      'a key that nobody registered': cosign(checkpoint, newParty(OFFICE.psb, 'EdDSA')),
      'a revoked key': cosign(checkpoint, revoked),
      'the key of another office': cosign(checkpoint, elsewhere),
      'a key for ECDSA': cosign(checkpoint, ecdsa),
      'another size': cosign(otherSize, key),
      'another name': cosign(checkpoint, key, { name: 'witness.example/w1' }),
      'a time to come': cosign(checkpoint, key, { time: nowSeconds() + 3_600 }),
      'a time before the checkpoint': cosign(checkpoint, key, { time: nowSeconds() - 86_400 }),
      'no signature line': 'cosigned',
    };
    for (const [name, line] of Object.entries(wrong)) {
      const answer = await acknowledge('wrong', batch, line);
      const { errors = [] } = expectProblem(answer, 422, 'invalid-resource');
      expect([name, errors.map(({ pointer }) => pointer)]).toEqual([name, ['/cosignature']]);
      expect(answer.text).not.toContain(line.slice(-40));
    }
    const seen = (await get(`/v1/offices/${OFFICE.psb}/consumers`, 'psb')).json() as {
      items: { name: string; cursor: number; leases: unknown[] }[];
    };
    expect(seen.items.find(({ name }) => name === 'wrong')).toMatchObject({ cursor: 0, leases: [{ id: batch.id }] });
    expect(await filingAs(id)).not.toHaveProperty('delivery');
    expect((await acknowledge('wrong', batch, cosign(checkpoint, key))).status).toBe(200);
    expect((await filingAs(id)).delivery?.cosignature?.kid).toBe(key.kid);
  });

  test('by an office that has no Ed25519 key is refused with words that say so', async () => {
    const office = 'T-no-ed25519';
    await operate(gateway, 'PUT', `/v1/offices/${office}`, {
      agency: 'psb',
      region: '350100',
      name: { zh: '机关', en: 'Office' },
    });
    const own = newParty(office, 'ES256');
    await operate(gateway, 'PUT', `/v1/parties/${office}`, { kind: 'office', name: '机关' });
    await operate(gateway, 'POST', `/v1/parties/${office}/keys`, {
      jwk: own.publicJwk,
      proof: own.proof(gateway.issuer),
    });
    const { id: filerId } = filer;
    await operate(gateway, 'PUT', `/v1/parties/${filerId}/registrations`, [
      ...Object.values(OFFICE).map((code) => ({ office: code, from: '2020-01-01' })),
      { office, from: '2020-01-01' },
    ]);
    const { id } = filingOf(await submit(gateway, filer, lodging({ office })), 201);
    const target = `/v1/offices/${office}/consumers/only/batches`;
    const opened = await gateway.ask('POST', target, { as: own, headers: JSON_TYPE, body: '{}' });
    const batch = opened.json() as Batch;
    const root = Buffer.from(batch.checkpoint.split('\n')[2] ?? '', 'base64').toString('base64url');
    const ack = (cosignature?: string) =>
      gateway.ask('PUT', `${target}/${batch.id}/ack`, {
        as: own,
        headers: { ...JSON_TYPE, 'Accept-Language': 'en' },
        body: JSON.stringify({ size: batch.to, root, cosignature }),
      });
    const { errors } = expectProblem(await ack(cosign(batch.checkpoint, own)), 422, 'invalid-resource');
    expect(errors?.[0]?.message.en).toMatch(/^Only Ed25519 keys can cosign/);
    expect((await ack()).status).toBe(200);
    expect((await filingAs(id)).delivery).toEqual({ at: expect.stringMatching(INSTANT), size: batch.to });
  });
});

describe('the receipt to print', () => {
  test('comes to who wants a page, with a policy that lets it use nothing but itself', async () => {
    const { id, answer } = await file();
    const target = `/v1/filings/${id}/receipt`;
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    for (const accept of ['text/html', browser]) {
      const shown = await get(target, 'filer', { Accept: accept });
      expect([shown.status, shown.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      expect(shown.headers['content-language']).toBe('zh-CN');
      expect(shown.headers.vary).toBe('Accept, Accept-Language');
      expect(shown.headers['cache-control']).toBe('no-store');
      const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(shown.text) ?? [];
      expect(shown.headers['content-security-policy']).toBe(
        `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      );
      expect(shown.text).not.toMatch(/<script|<link|<img/);
      const [, saved = ''] = /href="data:application\/json;base64,([^"]+)"/.exec(shown.text) ?? [];
      expect(Buffer.from(saved, 'base64').toString()).toBe(receiptText(answer));
    }
    for (const accept of ['*/*', 'application/json, text/html;q=0.9'])
      expect((await get(target, 'filer', { Accept: accept })).text).toBe(receiptText(answer));
    expect((await get(`${target}?lang=en`, 'filer', { Accept: 'text/html' })).text).toContain('<html lang="en">');
    expectProblem(await gateway.ask('GET', target, { headers: { Accept: 'text/html' } }), 401, 'unauthenticated');
  });

  test('escapes the names that people gave themselves', async () => {
    const hostile = `<script>alert("x")</script>&'><b onclick=a()>`;
    const party = await register(gateway);
    await operate(gateway, 'PUT', `/v1/parties/${party.id}`, { kind: 'filer', name: hostile, taxpayerKind: 'general' });
    const reference = `"><i>${party.id}`;
    const { id } = filingOf(await submit(gateway, party, lodging({ filer: party.id, reference })), 201);
    for (const language of ['zh', 'en'] as const) {
      const shown = await page(id, language, party);
      expect(shown.text).toContain(
        '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;&gt;&lt;b onclick=a()&gt;',
      );
      expect(shown.text).toContain(`&quot;&gt;&lt;i&gt;${party.id}`);
      expect(shown.text).not.toMatch(/<script|<b |<i>/);
    }
  });
});

describe('shenbao pull', () => {
  test('cosigns with an Ed25519 key, unless told not to, and status says so', async () => {
    const key = await officeKey(OFFICE.psb);
    const keyFile = path.join(folder, 'office.jwk');
    const { d } = key.privateKey.export({ format: 'jwk' });
    writeFileSync(keyFile, JSON.stringify({ ...key.publicJwk, d, sub: OFFICE.psb }));
    const filerKey = path.join(gateway.dataDir, 'demo', 'filer.jwk');
    const cli = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await start([...args, '--gateway', gateway.url, '--lang', 'en']).result;
      expect([code, stderr]).toEqual([0, '']);
      return stdout;
    };
    const pull = (as: string, consumer: string, ...more: readonly string[]) =>
      cli('pull', OFFICE.psb, '--key', as, '--consumer', consumer, '--out', path.join(folder, consumer), ...more);
    const { id } = await file();
    expect(await cli('status', id, '--key', filerKey)).toMatch(/delivered +not acknowledged by the office yet/);
    await pull(keyFile, 'plain', '--no-cosign');
    expect((await filingAs(id)).delivery).not.toHaveProperty('cosignature');
    await pull(path.join(gateway.dataDir, 'demo', 'office-psb.jwk'), 'ecdsa');
    expect((await filingAs(id)).delivery).not.toHaveProperty('cosignature');
    expect(await cli('status', id, '--key', filerKey)).toMatch(/delivered +\S+Z, acknowledged by the office\n/);
    await pull(keyFile, 'cosigning');
    const { cosignature, size = 0 } = (await filingAs(id)).delivery ?? {};
    expect(cosignature?.kid).toBe(key.kid);
    await expectCosigned(cosignature?.checkpoint ?? '', key, size);
    expect(await cli('status', id, '--key', filerKey)).toContain(
      `acknowledged and cosigned by the office (key ${key.kid})`,
    );
  });
});
