import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkBankCard,
  checkForeignResidentId,
  checkGtin13,
  checkLegacyRegistration,
  checkPersonId,
  checkRegionCode,
  checkResidencePermit,
  checkResidentId,
  checkUscc,
  type IdentifierCheck,
  makeResidentId,
  makeUscc,
  personIdFacts,
} from '../../src/domain/identifiers.ts';

type Check = (text: string) => IdentifierCheck;

/** Real values, with those that a correct check must refuse beside them. */
const TABLE: readonly { name: string; check: Check; valid: readonly string[]; invalid: readonly string[] }[] = [
  {
    name: 'unified social credit code',
    check: checkUscc,
    valid: [
      '91350100M000100Y43',
      '92510100MA61WJ3204',
      '52610500MJU60350X1',
      '1134082855783407XL',
      '91341000MA2N0ABGXX',
    ],
    invalid: [
      '91350200M000000510',
      '91350128M00000019A',
      '',
      '91350100M000100Y4',
      '91350100M000100Y430',
      '91350100m000100y43',
      '91350100I000100Y43',
      '9135010OM000100Y43',
      ' 91350100M000100Y43',
      '91350100M000100Y43\n',
      '９1350100M000100Y43',
    ],
  },
  {
    name: 'resident identity number',
    check: checkResidentId,
    valid: ['11010519491231002X', '440524188001010014'],
    invalid: [
      '11010519491231002x',
      '110105194912310021',
      '110105194913310020',
      '810000199408230021',
      '932682198501010017',
      '110105491231002',
    ],
  },
  {
    name: 'residence permit',
    check: checkResidencePermit,
    valid: ['810000199408230021', '830000199201300022'],
    invalid: ['810000199408230022', '11010519491231002X', '830000199202300020'],
  },
  {
    name: 'foreign permanent resident number',
    check: checkForeignResidentId,
    valid: ['932682198501010017', '911124198108030024'],
    invalid: ['932682198501010018', '11010519491231002X'],
  },
  {
    name: 'GTIN-13',
    check: checkGtin13,
    valid: ['6901234567892'],
    invalid: ['6901234567893', '690123456789', '69012345678920', 'x901234567892'],
  },
  {
    name: 'bank card',
    check: checkBankCard,
    valid: ['6228480402564890018'],
    invalid: ['6228480402564890019', '1', '62284804025648900180'],
  },
  {
    name: 'legacy registration',
    check: checkLegacyRegistration,
    valid: ['110108000000016'],
    invalid: ['110108000000017', '11010800000001'],
  },
  {
    name: 'region',
    check: checkRegionCode,
    valid: ['350100', '110105', '820000'],
    invalid: ['000000', '990100', '35010', '35010x', '3501000'],
  },
];

describe.each(TABLE)('$name', ({ check, valid, invalid }) => {
  test.each(valid)('accepts %j', (value) => {
    expect(check(value)).toEqual({ ok: true });
  });
  test.each(invalid)('refuses %j in both languages, without repeating it', (value) => {
    const result = check(value);
    if (result.ok) throw new Error('was accepted');
    expect(result.reason.zh).toMatch(/\p{Script=Han}/u);
    expect(result.reason.en).toMatch(/^[\x20-\x7e]+$/);
    if (value.length > 4) expect(result.reason.zh + result.reason.en).not.toContain(value.trim());
  });
});

test('the organisation code is checked on its own: a code with only the outer digit right is refused', () => {
  // Both digits of this one are wrong in the wild; with the outer one mended the inner one must still be found.
  const result = checkUscc(remadeOuterDigit('91350100M000100Z43'.replace('Z', '2')));
  expect(result.ok ? '' : result.reason.en).toContain('organisation code');
});

function remadeOuterDigit(code: string): string {
  const alphabet = '0123456789ABCDEFGHJKLMNPQRTUWXY';
  for (const check of alphabet) {
    const candidate = code.slice(0, 17) + check;
    const result = checkUscc(candidate);
    if (result.ok || result.reason.en.includes('organisation')) return candidate;
  }
  throw new Error('no digit fits');
}

const serial = fc.integer({ min: 0, max: 31 ** 6 - 1 });
const birth = fc
  .date({ min: new Date('1900-01-01'), max: new Date('2026-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));

/** Digits with the last one found by trial. */
function numbers(check: Check, length: number): fc.Arbitrary<string> {
  return fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: length - 1, maxLength: length - 1 })
    .map((digits) => [...'0123456789'].map((last) => digits.join('') + last).find((text) => check(text).ok))
    .filter((text) => text !== undefined);
}

/** For each: how valid ones are made. All these algorithms detect any change of a single character. */
const GENERATED: readonly [string, Check, fc.Arbitrary<string>][] = [
  ['unified social credit code', checkUscc, serial.map((n) => makeUscc(n))],
  [
    'person',
    checkPersonId,
    fc.tuple(birth, fc.integer({ min: 0, max: 999 })).map(([date, n]) => makeResidentId(date, n)),
  ],
  ['GTIN-13', checkGtin13, numbers(checkGtin13, 13)],
  ['bank card', checkBankCard, numbers(checkBankCard, 16)],
  ['legacy registration', checkLegacyRegistration, numbers(checkLegacyRegistration, 15)],
];

test.each(GENERATED)('%s: what is made is valid, and any single change is detected', (_name, check, valid) => {
  fc.assert(
    fc.property(
      valid,
      fc.nat(),
      fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZax -'),
      (text, seed, character) => {
        expect(check(text)).toEqual({ ok: true });
        const at = seed % text.length;
        if (text.charAt(at) === character) return;
        expect(check(text.slice(0, at) + character + text.slice(at + 1)).ok).toBe(false);
      },
    ),
    { numRuns: 500 },
  );
});

test('unified social credit code: swapped neighbours are detected', () => {
  fc.assert(
    fc.property(serial, fc.integer({ min: 0, max: 16 }), (n, at) => {
      const code = makeUscc(n);
      const swapped = code.slice(0, at) + code.charAt(at + 1) + code.charAt(at) + code.slice(at + 2);
      expect(checkUscc(swapped).ok).toBe(swapped === code);
    }),
  );
});

test('synthetic codes of different serials differ', () => {
  const codes = new Set(Array.from({ length: 20_000 }, (_, n) => makeUscc(n)));
  expect(codes.size).toBe(20_000);
});

test('a number tells date of birth and sex', () => {
  expect(personIdFacts('11010519491231002X')).toEqual({ birthDate: '1949-12-31', sex: 'female' });
  expect(personIdFacts(makeResidentId('1990-02-28', 17))).toEqual({ birthDate: '1990-02-28', sex: 'male' });
});
