import { createPublicKey } from 'node:crypto';
import { compactVerify } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type CorpusOptions,
  enterprise,
  importLines,
  MONTHS_MAX,
  monthPeriod,
  usccOf,
  vatReturn,
} from '../../bench/corpus.ts';
import { insurancePayload, lodgingPayloads, recallPayloads, vatPayload } from '../../bench/demo/forms.ts';
import { makeWorld } from '../../bench/demo/world.ts';
import { filerSigner, makeKey, publicHalf, signPayload } from '../../bench/keys.ts';
import { SeededRandom, seedNumber } from '../../bench/random.ts';
import { thumbprint } from '../../src/client/keys.ts';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { FilingPayload } from '../../src/domain/filing.ts';
import type { Catalogue } from '../../src/domain/filing-type.ts';
import { checkUscc } from '../../src/domain/identifiers.ts';
import { checkAgainstType } from '../../src/domain/payload.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';

const OPTIONS: CorpusOptions = { seed: 'test', filers: 50, offices: 3, shape: 'usual' };
const ISSUER = 'http://gateway.example';

let catalogue: Catalogue;

beforeAll(async () => {
  const built = buildCatalogue(await readSchemaFiles());
  if (built.catalogue === undefined) throw new Error('the shipped filing types do not load');
  catalogue = built.catalogue;
});

/** Everything that the gateway would find in the payload itself, warnings too. */
function findings(payload: FilingPayload): unknown[] {
  const type = catalogue.types.get(payload.type);
  const version = type?.resolve(payload.version, payload.period);
  if (type === undefined || version === undefined) return ['no such type or version'];
  const { errors, warnings } = version.check(payload);
  return [...checkAgainstType(payload, type), ...errors, ...warnings];
}

describe('a corpus', () => {
  test('is the same for the same seed, and another for another', () => {
    const made = (seed: string): unknown => {
      const options = { ...OPTIONS, seed };
      return [[...importLines(options)], vatReturn(options, usccOf(seed, 7), 7, 3)];
    };
    expect(made('test')).toEqual(made('test'));
    expect(made('test')).not.toEqual(made('other'));
  });

  test('has valid and distinct codes', () => {
    const codes = Array.from({ length: 5_000 }, (_, i) => usccOf('codes', i));
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes.filter((code) => !checkUscc(code).ok)).toEqual([]);
  });

  test.each(['usual', 'full'] as const)(
    'has returns of the %s shape that the filing type accepts without a word',
    (shape) => {
      for (let index = 0; index < 40; index++) {
        const payload = vatReturn({ ...OPTIONS, shape }, usccOf('test', index), index, index % MONTHS_MAX);
        expect(findings(payload)).toEqual([]);
      }
    },
  );

  test('differs from filer to filer and from month to month', () => {
    const texts = [0, 1, 2].flatMap((index) =>
      [0, 1, 2].map((back) => JSON.stringify(vatReturn(OPTIONS, usccOf('test', index), index, back).data)),
    );
    expect(new Set(texts).size).toBe(texts.length);
  });

  test('fills every line of the form when it is full, and has about 1.1 kB when it is not', () => {
    const { uscc, key } = enterprise(OPTIONS, 1);
    const sizes = (['usual', 'full'] as const).map((shape) => {
      const payload = vatReturn({ ...OPTIONS, shape }, uscc, 1, 0);
      const lines = Object.keys((payload.data as { lines: object }).lines).length;
      return { lines, bytes: signPayload(filerSigner(key, ISSUER), JSON.stringify(payload)).length };
    });
    expect(sizes[0]?.bytes).toBeGreaterThan(950);
    expect(sizes[0]?.bytes).toBeLessThan(1_250);
    expect(sizes[1]?.lines).toBe(41);
  });

  test('goes back over the ends of years', () => {
    expect([0, 9, 10, 59].map(monthPeriod)).toEqual([
      { from: '2026-10-01', to: '2026-10-31' },
      { from: '2026-01-01', to: '2026-01-31' },
      { from: '2025-12-01', to: '2025-12-31' },
      { from: '2021-11-01', to: '2021-11-30' },
    ]);
  });
});

describe('a key', () => {
  test('is the same for the same seed and number, and never the same twice', () => {
    expect(makeKey('a', 1)).toEqual(makeKey('a', 1));
    const kids = [makeKey('a', 1), makeKey('a', 2), makeKey('b', 1)].map(({ kid }) => kid);
    expect(new Set(kids).size).toBe(3);
  });

  test('has the thumbprint of RFC 7638 as the client computes it', () => {
    const key = makeKey('a', 3);
    expect(key.kid).toBe(thumbprint(publicHalf(key)));
    expect(publicHalf(key)).not.toHaveProperty('d');
  });

  test('signs what jose verifies, and nothing else', async () => {
    const key = makeKey('a', 4);
    const jws = signPayload(filerSigner(key, ISSUER), '{"a":1}');
    const publicKey = createPublicKey({ key: { ...publicHalf(key) }, format: 'jwk' });
    const { payload, protectedHeader } = await compactVerify(jws, publicKey);
    expect(new TextDecoder().decode(payload)).toBe('{"a":1}');
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: key.kid, typ: 'filing+jws', aud: ISSUER });
    const other = createPublicKey({ key: { ...publicHalf(makeKey('a', 5)) }, format: 'jwk' });
    await expect(compactVerify(jws, other)).rejects.toThrow('signature verification failed');
  });
});

describe('the demo', () => {
  const world = makeWorld({ seed: 'test', run: '00000000', issuer: ISSUER, today: '2026-11-22', enterprises: 60 });

  test('has valid codes and files for last month', () => {
    expect(world.enterprises.filter(({ uscc }) => !checkUscc(uscc).ok)).toEqual([]);
    expect(checkUscc(world.agent.uscc).ok).toBe(true);
    expect(world.month).toEqual({ from: '2026-10-01', to: '2026-10-31' });
  });

  test('fills in every form so that the filing type accepts it without a word', () => {
    const random = new SeededRandom(seedNumber('forms'), 1);
    for (const filer of world.enterprises) {
      const payloads = [
        vatPayload(random, filer, world.month),
        insurancePayload(random, filer, world.month),
        ...recallPayloads(random, filer, '2026-11-19', `RC-${filer.index}`),
        ...lodgingPayloads(random, filer, {
          day: '2026-11-20',
          nights: filer.index % 3,
          reference: `LD-${filer.index}`,
        }),
      ];
      expect(payloads.flatMap(findings)).toEqual([]);
    }
  });
});
