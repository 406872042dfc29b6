import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf, expectProblem, expectViolation, filingOf, INSTANT, receiptText } from '../support/expect.ts';
import { chinaDay, example, flattened, lodging, newParty, type SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { freshUscc, OFFICE, operate, register, submit, submitJws } from '../support/parties.ts';

let gateway: Gateway;
let filer: SigningParty;

beforeAll(async () => {
  gateway = await startGateway();
  filer = gateway.party('filer');
});
afterAll(() => gateway.remove());

describe('a valid filing', () => {
  test('is answered 201 with Location and every member of the contract', async () => {
    const payload = JSON.stringify(example('tax/vat-general', 'valid-compact.json'));
    const before = Date.now();
    const answer = await submit(gateway, filer, payload);
    const filing = filingOf(answer, 201);
    expect(answer.headers.location).toBe(`/v1/filings/${filing.id}`);
    expect(answer.headers['idempotent-replayed']).toBeUndefined();
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['x-request-id']).toMatch(/\S/);
    expect(Object.keys(filing).sort()).toEqual(
      'digest filer id index kind late office period receipt receivedAt status type version warnings'.split(' '),
    );
    expect(filing).toMatchObject({
      id: `${OFFICE.tax}.${filing.index}`,
      type: 'tax.vat.general',
      version: '2026-02',
      filer: filer.id,
      office: OFFICE.tax,
      period: { from: '2026-10-01', to: '2026-10-31' },
      kind: 'original',
      digest: digestOf(payload),
      status: 'accepted',
      warnings: [],
    });
    expect(filing.receivedAt).toMatch(INSTANT);
    expect(Date.parse(filing.receivedAt)).toBeGreaterThanOrEqual(before - 1_000);
    expect(Date.parse(filing.receivedAt)).toBeLessThanOrEqual(Date.now() + 1_000);
    const { late: _l, warnings: _w, status: _s, receipt, ...stated } = filing;
    const { iss, env, leaf, ...statement } = receipt.statement;
    expect(statement).toEqual(stated);
    expect([iss, env]).toEqual([gateway.issuer, 'sandbox']);
    expect(leaf).toMatch(/^[\w-]{43}$/);
    expect(Object.keys(receipt).sort()).toEqual('leafIndex path salt signature statement treeSize'.split(' '));
  });

  test.each(['ES256', 'EdDSA', 'PS256', 'RS256'] as const)(
    'signed with %s is accepted in both serializations',
    async (alg) => {
      const party = await register(gateway, { alg });
      filingOf(await submit(gateway, party, lodging({ filer: party.id })), 201);
      filingOf(await submitJws(gateway, flattened(party.filing(gateway.issuer, lodging({ filer: party.id })))), 201);
    },
  );

  test('may call Ed25519 by either of its names', async () => {
    const party = await register(gateway, { alg: 'EdDSA' });
    filingOf(await submit(gateway, party, lodging({ filer: party.id }), { header: { alg: 'Ed25519' } }), 201);
  });

  test('of each shipped type is accepted, each at the office of its agency', async () => {
    const party = await register(gateway);
    for (const [folder, office] of [
      ['tax/vat-general', OFFICE.tax],
      ['si/contribution', OFFICE.si],
      ['si/personnel', OFFICE.si],
      ['amr/annual', OFFICE.amr],
      ['amr/recall', OFFICE.amr],
      ['amr/foodtrace', OFFICE.amr],
      ['amr/incident', OFFICE.amr],
      ['psb/lodging', OFFICE.psb],
      ['psb/seal', OFFICE.psb],
      ['psb/trade', OFFICE.psb],
      ['city/event', OFFICE.city],
      ['emg/incident', OFFICE.emg],
    ] as const) {
      const payload = { ...example(folder), filer: party.id };
      const filing = filingOf(await submit(gateway, party, payload), 201);
      expect([filing.office, filing.warnings]).toEqual([office, []]);
    }
  });

  test('has the version in force when it names none, and the one that it names', async () => {
    const { version: _, ...payload } = example('tax/vat-general', 'valid-zero.json');
    const party = await register(gateway);
    const file = async (from: string, to: string, version = {}) =>
      filingOf(await submit(gateway, party, { ...payload, ...version, filer: party.id, period: { from, to } }), 201)
        .version;
    expect(await file('2026-03-01', '2026-03-31')).toBe('2026-02');
    expect(await file('2025-06-01', '2025-06-30')).toBe('2025-02');
    expect(await file('2024-06-01', '2024-06-30', { version: '2021-08' })).toBe('2021-08');
  });

  test('gets dense indexes in its office, one after the other', async () => {
    const party = await register(gateway);
    const indexes: number[] = [];
    for (let i = 0; i < 5; i++)
      indexes.push(filingOf(await submit(gateway, party, lodging({ filer: party.id })), 201).index);
    expect(indexes).toEqual(indexes.map((_, i) => (indexes[0] as number) + i));
  });

  test('tells whether it was late', async () => {
    const due = filingOf(await submit(gateway, filer, lodging()), 201);
    const late = filingOf(await submit(gateway, filer, lodging({}, 10)), 201);
    expect([due.late, late.late]).toEqual([false, true]);
    const read = await gateway.ask('GET', `/v1/filings/${late.id}`, { as: 'filer' });
    expect(filingOf(read, 200).late).toBe(true);
  });

  test('keeps its warnings and shows them to whoever reads it', async () => {
    const mismatch = { ...(lodging().data as object), faceCheck: { result: 'mismatch', similarity: 12 } };
    const payload = lodging({ data: mismatch });
    const filing = filingOf(await submit(gateway, filer, payload), 201);
    expect(filing.warnings).toMatchObject([
      { rule: 'PSB-FACE', severity: 'warning', pointer: '/data/faceCheck/reviewer' },
    ]);
    for (const warning of filing.warnings) expectViolation(warning);
    expect(filingOf(await submit(gateway, filer, payload), 200).warnings).toEqual(filing.warnings);
    const read = await gateway.ask('GET', `/v1/filings/${filing.id}`, { as: 'psb' });
    expect(filingOf(read, 200).warnings).toEqual(filing.warnings);
  });
});

describe('a replay', () => {
  test('is answered 200 with the original receipt, byte for byte', async () => {
    const jws = filer.filing(gateway.issuer, lodging());
    const first = await submitJws(gateway, jws);
    filingOf(first, 201);
    for (let i = 0; i < 3; i++) {
      const again = await submitJws(gateway, jws);
      filingOf(again, 200);
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect(again.headers.location).toBe(first.headers.location);
      expect(receiptText(again)).toBe(receiptText(first));
      expect(again.text).toBe(first.text);
    }
  });

  test('is recognised by its payload: with a signature made anew, flattened, and by an agent', async () => {
    const payload = JSON.stringify(lodging());
    const original = filer.filing(gateway.issuer, payload);
    const first = await submitJws(gateway, original);
    const others = [
      filer.filing(gateway.issuer, payload),
      flattened(filer.filing(gateway.issuer, payload)),
      gateway.party('agent').filing(gateway.issuer, payload),
    ];
    for (const jws of others) expect(receiptText(await submitJws(gateway, jws))).toBe(receiptText(first));
    const { id } = filingOf(first, 201);
    const content = await gateway.ask('GET', `/v1/filings/${id}/content`, { as: 'filer' });
    expect(content.text).toBe(original);
  });

  test('says what has become of the filing since', async () => {
    const payload = lodging();
    const first = await submit(gateway, filer, payload);
    const { id } = filingOf(first, 201);
    filingOf(await submit(gateway, filer, { ...payload, kind: 'void', supersedes: id, data: undefined }), 201);
    const again = await submit(gateway, filer, payload);
    expect(filingOf(again, 200).status).toBe('voided');
    expect(receiptText(again)).toBe(receiptText(first));
  });

  test('works when the mandate or the registration has ended meanwhile', async () => {
    const party = await register(gateway);
    const payload = lodging({ filer: party.id });
    const first = await submit(gateway, party, payload);
    filingOf(first, 201);
    await operate(gateway, 'PUT', `/v1/parties/${party.id}/registrations`, []);
    expect(receiptText(await submit(gateway, party, payload))).toBe(receiptText(first));
    expectProblem(await submit(gateway, party, lodging({ filer: party.id })), 403, 'not-registered');
  });
});

describe('corrections and voidings', () => {
  test('form a chain: what is superseded cannot be superseded again, a voiding only be followed by an original', async () => {
    const party = await register(gateway);
    const original = lodging({ filer: party.id });
    const data = (room: string) => ({ ...(original.data as object), room });
    const first = filingOf(await submit(gateway, party, original), 201);
    const correction = { ...original, kind: 'correction', supersedes: first.id, data: data('101') };
    const second = filingOf(await submit(gateway, party, correction), 201);
    expect(second).toMatchObject({ kind: 'correction', supersedes: first.id, status: 'accepted' });
    expect(second.receipt.statement).toMatchObject({ kind: 'correction', supersedes: first.id });

    // A correction of the corrected filing: refused, and told which filing is the newest.
    const third = { ...original, kind: 'correction', supersedes: second.id, data: data('102') };
    const head = filingOf(await submit(gateway, party, third), 201);
    const stray = JSON.stringify({ ...correction, data: data('103') });
    const problem = expectProblem(await submit(gateway, party, stray), 409, 'superseded');
    expect(problem).toMatchObject({
      head: head.id,
      digest: digestOf(stray),
      existing: { id: second.id, digest: second.digest, receivedAt: second.receivedAt },
    });
    expectProblem(
      await submit(gateway, party, { ...original, kind: 'void', supersedes: first.id, data: undefined }),
      409,
      'superseded',
    );

    const voiding = { ...original, kind: 'void', supersedes: head.id, data: undefined };
    const voided = filingOf(await submit(gateway, party, voiding), 201);
    expect(voided).toMatchObject({ kind: 'void', supersedes: head.id });
    for (const kind of ['correction', 'void']) {
      const after = expectProblem(
        await submit(gateway, party, { ...original, kind, supersedes: voided.id }),
        422,
        'invalid-filing',
      );
      expect(after.errors).toMatchObject([{ pointer: '/supersedes' }]);
    }
    const anew = filingOf(await submit(gateway, party, { ...original, supersedes: voided.id, data: data('104') }), 201);
    expect(anew).toMatchObject({ kind: 'original', supersedes: voided.id });

    const read = async (id: string) => {
      const filing = filingOf(await gateway.ask('GET', `/v1/filings/${id}`, { as: party }), 200);
      return [filing.status, filing.history?.map(({ status, by }) => [status, by])];
    };
    expect(await read(first.id)).toEqual([
      'superseded',
      [
        ['accepted', undefined],
        ['superseded', second.id],
      ],
    ]);
    expect(await read(second.id)).toEqual([
      'superseded',
      [
        ['accepted', undefined],
        ['superseded', head.id],
      ],
    ]);
    expect(await read(head.id)).toEqual([
      'voided',
      [
        ['accepted', undefined],
        ['voided', voided.id],
      ],
    ]);
    expect(await read(voided.id)).toEqual([
      'superseded',
      [
        ['accepted', undefined],
        ['superseded', anew.id],
      ],
    ]);
    expect(await read(anew.id)).toEqual(['accepted', [['accepted', undefined]]]);
  });

  test('of the same filing at the same time: one is stored, the others learn of it', async () => {
    const party = await register(gateway);
    const original = lodging({ filer: party.id });
    const { id } = filingOf(await submit(gateway, party, original), 201);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        submit(gateway, party, {
          ...original,
          kind: 'correction',
          supersedes: id,
          data: { ...(original.data as object), room: `9${i}` },
        }),
      ),
    );
    const stored = answers.filter((answer) => answer.status === 201);
    expect(stored).toHaveLength(1);
    const { id: head } = filingOf(stored[0] as (typeof answers)[number], 201);
    for (const answer of answers)
      if (answer.status !== 201) expect(expectProblem(answer, 409, 'superseded').head).toBe(head);
  });

  test('name a filing that is there, is the same filer’s, and has the same type, period and reference', async () => {
    const party = await register(gateway);
    const original = lodging({ filer: party.id });
    const { id } = filingOf(await submit(gateway, party, original), 201);
    const foreign = filingOf(await submit(gateway, filer, lodging()), 201);
    const correct = (changes: object) =>
      submit(gateway, party, { ...original, kind: 'correction', supersedes: id, ...changes });
    for (const changes of [
      { supersedes: `${OFFICE.psb}.999999` },
      { supersedes: foreign.id },
      { reference: 'another' },
      { period: { from: chinaDay(3), to: chinaDay(3) } },
      { kind: 'original' },
    ]) {
      const problem = expectProblem(await correct(changes), 422, 'invalid-filing');
      expect(problem.errors?.map(({ pointer }) => pointer)).toContain('/supersedes');
    }
    const missing = expectProblem(await correct({ supersedes: undefined }), 422, 'invalid-filing');
    expect(missing.errors?.map(({ pointer }) => pointer)).toContain('/supersedes');
  });
});

describe('the office', () => {
  test('may be named among those of the agency that the filer is registered with', async () => {
    const office = '13502000000';
    await operate(gateway, 'PUT', `/v1/offices/${office}`, {
      agency: 'tax',
      region: '350200',
      name: { zh: '厦门市税务局', en: 'Xiamen' },
    });
    const registrations = [OFFICE.tax, office, OFFICE.psb].map((code) => ({ office: code, from: '2020-01-01' }));
    const party = await register(gateway, { registrations });
    const vat = { ...example('tax/vat-general', 'valid-zero.json'), filer: party.id };
    expect(filingOf(await submit(gateway, party, { ...vat, office }), 201)).toMatchObject({
      office,
      index: 0,
      id: `${office}.0`,
    });
    // The office is not part of the filing key: the same return cannot be filed twice at two offices.
    expectProblem(await submit(gateway, party, vat), 409, 'filing-conflict');
    for (const wrong of [OFFICE.psb, OFFICE.si, 'nowhere'])
      expectProblem(await submit(gateway, party, { ...vat, office: wrong }), 403, 'not-registered');
  });
});

describe('who may file', () => {
  test('an agent may with a mandate for the filer, the type and the day', async () => {
    const agent = await register(gateway, { kind: 'agent' });
    const party = await register(gateway);
    const file = () => submit(gateway, agent, lodging({ filer: party.id }));
    const mandate = (changes: object) =>
      operate(gateway, 'PUT', `/v1/mandates/m-${agent.id}`, {
        agent: agent.id,
        filer: party.id,
        types: ['psb.*'],
        from: '2020-01-01',
        ...changes,
      });
    expectProblem(await file(), 403, 'no-mandate');
    await mandate({});
    expect(filingOf(await file(), 201).filer).toBe(party.id);
    await mandate({ types: ['tax.*'] });
    expectProblem(await file(), 403, 'no-mandate');
    await mandate({ to: chinaDay(1) });
    expectProblem(await file(), 403, 'no-mandate');
    await mandate({ from: chinaDay(-1) });
    expectProblem(await file(), 403, 'no-mandate');
    await mandate({ from: chinaDay(), to: chinaDay() });
    filingOf(await file(), 201);
    expectProblem(await submit(gateway, agent, lodging({ filer: filer.id })), 403, 'no-mandate');
  });

  test('another filer may not, nor an office or an operator', async () => {
    const other = await register(gateway);
    for (const party of [other, gateway.party('psb'), gateway.party('operator')])
      expectProblem(await submit(gateway, party, lodging()), 403, 'no-mandate');
  });

  test('a suspended party may not, neither as filer nor as agent', async () => {
    const party = await register(gateway);
    const put = (status: string) =>
      operate(gateway, 'PUT', `/v1/parties/${party.id}`, {
        kind: 'filer',
        name: '测试',
        taxpayerKind: 'general',
        status,
      });
    await put('suspended');
    expectProblem(await submit(gateway, party, lodging({ filer: party.id })), 403, 'party-suspended');
    await put('active');
    filingOf(await submit(gateway, party, lodging({ filer: party.id })), 201);
  });

  test('a key may until it is revoked, within five seconds, and within its own dates', async () => {
    const party = await register(gateway);
    filingOf(await submit(gateway, party, lodging({ filer: party.id })), 201);
    const revokedAt = performance.now();
    await operate(gateway, 'DELETE', `/v1/keys/${party.kid}`, { reason: '测试' });
    let answer = await submit(gateway, party, lodging({ filer: party.id }));
    while (answer.status !== 403 && performance.now() - revokedAt < 5_000)
      answer = await submit(gateway, party, lodging({ filer: party.id }));
    expectProblem(answer, 403, 'key-revoked');
    const ended = await register(gateway, { notAfter: '2021-01-01T00:00:00.000Z' });
    expectProblem(await submit(gateway, ended, lodging({ filer: ended.id })), 403, 'key-not-in-force');
  });

  test('a stranger does not learn that a key exists or was revoked', async () => {
    const party = await register(gateway);
    await operate(gateway, 'DELETE', `/v1/keys/${party.kid}`, { reason: '测试' });
    const forged = newParty(party.id).filing(gateway.issuer, lodging({ filer: party.id }), { kid: party.kid });
    expectProblem(await submitJws(gateway, forged), 401, 'bad-signature');
    const unknown = newParty(freshUscc());
    expectProblem(await submit(gateway, unknown, lodging({ filer: party.id })), 401, 'unknown-key');
  });
});
