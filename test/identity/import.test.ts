import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeUscc } from '../../src/domain/identifiers.ts';
import { IMPORT_LINES } from '../../src/http/identity-schemas.ts';
import { compileCheck } from '../../src/http/schema.ts';
import { type ImportContext, importIdentity } from '../../src/identity/import.ts';
import { readKey, readParty, readRegistrations } from '../../src/identity/read.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { AGENT, identityContext, makeKey, TAX_OFFICE } from '../support/identity.ts';

let database: TestDatabase;
let ctx: ImportContext;
const operator = { role: 'operator', party: 'operator' } as const;

beforeAll(async () => {
  database = await createTestDatabase();
  const checks = Object.fromEntries(Object.entries(IMPORT_LINES).map(([op, schema]) => [op, compileCheck(schema, '')]));
  ctx = { ...identityContext(database), checks: checks as ImportContext['checks'] };
});
afterAll(() => database.drop());

async function* chunks(text: string, size = 65_536): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Each line's answer: 201, 200, or the code of its problem. */
async function run(lines: readonly (object | string)[], size?: number): Promise<[number, string | number][]> {
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  const answers: [number, string | number][] = [];
  for await (const batch of importIdentity(ctx, chunks(text, size))) {
    for (const { line, result } of batch) {
      answers.push([line, result instanceof GatewayError ? result.code : result.created ? 201 : 200]);
    }
  }
  return answers;
}

const officeLine = {
  op: 'office',
  office: TAX_OFFICE,
  agency: 'tax',
  region: '350100',
  name: { zh: '税务局', en: 'Tax' },
};
const party = (id: string) => ({ op: 'party', id, kind: 'filer', name: '甲公司', taxpayerKind: 'general' });
const registration = (filer: string) => ({
  op: 'registration',
  filer,
  registrations: [{ office: TAX_OFFICE, from: '2020-01-01' }],
});

describe('an import', () => {
  test('takes lines that build on one another in one batch, whatever the chunks', async () => {
    const id = makeUscc(1);
    const key = makeKey();
    const lines = [
      officeLine,
      party(id),
      { op: 'key', party: id, jwk: key.jwk },
      registration(id),
      { op: 'party', id: AGENT, kind: 'agent', name: '代理', status: 'active' },
      { op: 'mandate', id: 'M-1', agent: AGENT, filer: id, types: ['tax.*'], from: '2026-01-01' },
    ];
    expect(await run(lines, 7)).toEqual(lines.map((_, i) => [i + 1, 201]));
    expect(await run(lines)).toEqual(lines.map((_, i) => [i + 1, 200]));
    expect(await readKey(ctx, operator, key.jwk.kid)).toMatchObject({ party: id });
    expect(await readRegistrations(ctx, operator, id)).toEqual([{ office: TAX_OFFICE, from: '2020-01-01' }]);
  });

  test('several lines about one party count in their order', async () => {
    const id = makeUscc(2);
    const answers = await run([
      registration(id),
      party(id),
      { ...party(id), name: '第二名' },
      { ...party(id), kind: 'agent', taxpayerKind: undefined },
      registration(id),
      { op: 'registration', filer: id, registrations: [] },
      { ...party(id), name: '最后名' },
    ]);
    expect(answers.map(([, answer]) => answer)).toEqual(['not-found', 201, 200, 'conflict', 201, 200, 200]);
    expect(await readParty(ctx, operator, id)).toMatchObject({ name: '最后名' });
    expect(await readRegistrations(ctx, operator, id)).toEqual([]);
  });

  test('a bad line stops no other; blank lines have no answer and count', async () => {
    const key = makeKey();
    const bad: [object | string, string][] = [
      ['{', 'malformed-json'],
      ['[]', 'invalid-resource'],
      ['null', 'invalid-resource'],
      ['"text"', 'invalid-resource'],
      [{ op: 'delete' }, 'invalid-resource'],
      [{ op: '__proto__' }, 'invalid-resource'],
      ['{"op":"party","op":"key"}', 'malformed-json'],
      ['{"op":"party","__proto__":{}}', 'malformed-json'],
      [{ op: 'party', id: makeUscc(3) }, 'invalid-resource'],
      [{ ...party('91350200M000000510') }, 'invalid-resource'],
      [{ ...party(makeUscc(3)), extra: 1 }, 'invalid-resource'],
      [{ ...party(makeUscc(3)), name: 'a\u0000b' }, 'invalid-resource'],
      [{ ...party(makeUscc(3)), name: 'x'.repeat(201) }, 'invalid-resource'],
      ['{"op":"party","id":"x","kind":"filer","name":"\\ud800"}', 'malformed-json'],
      [{ op: 'key', party: makeUscc(404), jwk: key.jwk }, 'not-found'],
      [{ op: 'key', party: makeUscc(3), jwk: { ...key.jwk, d: 'AAAA' } }, 'invalid-resource'],
      [{ ...officeLine, agency: 'psb' }, 'conflict'],
      [`{"op":"party","name":"${'x'.repeat(70_000)}"}`, 'too-large'],
    ];
    const lines = [...bad.map(([line]) => line), '', party(makeUscc(3)), '', ''];
    const expected: [number, string | number][] = bad.map(([, code], i) => [i + 1, code]);
    expected.push([bad.length + 2, 201]);
    expect(await run(lines)).toEqual(expected);
  });

  test('bytes that are not UTF-8 are refused on their line', async () => {
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.concat([
        Buffer.from('{"op":"'),
        Buffer.from([0xff]),
        Buffer.from('"}\n'),
        Buffer.from(JSON.stringify(party(makeUscc(4)))),
      ]);
    }
    const answers = [];
    for await (const batch of importIdentity(ctx, body())) answers.push(...batch);
    expect(answers.map(({ result }) => (result instanceof GatewayError ? result.code : result.created))).toEqual([
      'malformed-json',
      true,
    ]);
  });

  test('ends at a line without end', async () => {
    const answers = await run([party(makeUscc(5)), 'x'.repeat(1_100_000), party(makeUscc(6))]);
    expect(answers).toEqual([
      [1, 201],
      [2, 'too-large'],
    ]);
  });

  test('a key that two lines claim belongs to the first', async () => {
    const key = makeKey();
    const [first, second] = [makeUscc(11), makeUscc(12)];
    const lines = [
      party(first),
      party(second),
      { op: 'key', party: first, jwk: key.jwk },
      { op: 'key', party: second, jwk: key.jwk },
    ];
    expect((await run(lines)).map(([, answer]) => answer)).toEqual([201, 201, 201, 'conflict']);
  });

  test('5,000 parties with keys and registrations are all there, each once', async () => {
    const count = 5_000;
    const lines: object[] = [];
    for (let i = 0; i < count; i++) {
      const id = makeUscc(100_000 + i);
      const { x } = randomEd25519();
      lines.push(party(id), { op: 'key', party: id, jwk: { kty: 'OKP', crv: 'Ed25519', x } }, registration(id));
    }
    const answers = await run(lines);
    expect(answers.every(([line, answer], i) => line === i + 1 && answer === 201)).toBe(true);
    const again = await run(lines.slice(0, 3_000));
    expect(again.every(([, answer]) => answer === 200)).toBe(true);
    const [totals] = await database.db.sql<{ parties: number; keys: number; registrations: number }[]>`
      SELECT (SELECT count(*)::int FROM party WHERE id = ANY(${ids(count)}::text[])) AS parties,
             (SELECT count(*)::int FROM party_key WHERE party = ANY(${ids(count)}::text[])) AS keys,
             (SELECT count(*)::int FROM registration WHERE filer = ANY(${ids(count)}::text[])) AS registrations`;
    expect(totals).toEqual({ parties: count, keys: count, registrations: count });
  });
});

const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => makeUscc(100_000 + i));

/** Any 32 bytes do: whether they are a point is found out when something is verified. */
function randomEd25519(): { x: string } {
  return { x: randomBytes(32).toString('base64url') };
}
