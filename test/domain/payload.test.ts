import { describe, expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { FilingType } from '../../src/domain/filing-type.ts';
import { checkAgainstType, checkEnvelope } from '../../src/domain/payload.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';

const { catalogue } = buildCatalogue(await readSchemaFiles());

function typeOf(name: string): FilingType {
  const type = catalogue?.types.get(name);
  if (type === undefined) throw new Error(`${name} is not there`);
  return type;
}

const monthly = {
  type: 'tax.vat.general',
  filer: '91350100M000100Y43',
  period: { from: '2026-10-01', to: '2026-10-31' },
  kind: 'original',
  data: { lines: { 34: { generalMonth: 0 } } },
};
const event = {
  ...monthly,
  type: 'psb.lodging',
  period: { from: '2026-10-03', to: '2026-10-03' },
  reference: 'R-2026-00017',
  data: {},
};

function pointers(value: unknown): string[] {
  return (checkEnvelope(value).errors ?? []).map(({ pointer, code }) => `${pointer} ${code}`);
}

describe('the envelope', () => {
  test('a good one is handed on as it is', () => {
    expect(checkEnvelope(monthly).payload).toBe(monthly);
    expect(checkEnvelope({ ...event, office: '13501000000', version: '2026-01' }).errors).toBeUndefined();
  });

  test.each([
    ['a list', [], [' envelope']],
    ['null', null, [' envelope']],
    ['nothing in it', {}, ['/type envelope', '/filer envelope', '/period envelope', '/kind envelope']],
    ['an unknown member', { ...monthly, note: 'x' }, [' envelope']],
    ['an inherited name', { ...monthly, constructor: 'x' }, [' envelope']],
    ['a type in capitals', { ...monthly, type: 'TAX.VAT' }, ['/type envelope']],
    ['a wrong check digit', { ...monthly, filer: '91350100M000100Y44' }, ['/filer identifier']],
    ['a filer that is a number', { ...monthly, filer: 91350100 }, ['/filer identifier']],
    [
      'a date that does not exist',
      { ...monthly, period: { from: '2026-02-30', to: '2026-03-31' } },
      ['/period/from period'],
    ],
    [
      'a period that ends before it begins',
      { ...monthly, period: { from: '2026-10-31', to: '2026-10-01' } },
      ['/period period'],
    ],
    ['a period with more in it', { ...monthly, period: { ...monthly.period, zone: 'x' } }, ['/period envelope']],
    ['a period as text', { ...monthly, period: '2026-10' }, ['/period envelope']],
    ['an empty reference', { ...event, reference: '' }, ['/reference envelope']],
    ['a long reference', { ...event, reference: 'x'.repeat(65) }, ['/reference envelope']],
    ['a reference with a newline', { ...event, reference: 'a\nb' }, ['/reference envelope']],
    ['a reference with a zero-width space', { ...event, reference: 'a\u200bb' }, ['/reference envelope']],
    ['a reference that ends with a blank', { ...event, reference: 'a ' }, ['/reference envelope']],
    ['an office with a slash', { ...monthly, office: '1350/1' }, ['/office envelope']],
    ['an id with leading zeros', { ...monthly, supersedes: '13501000000.042' }, ['/supersedes envelope']],
    ['an unknown kind', { ...monthly, kind: 'amendment' }, ['/kind envelope']],
    ['a supplement of nothing', { ...monthly, kind: 'supplement' }, ['/supersedes kind']],
    ['a correction of nothing', { ...monthly, kind: 'correction' }, ['/supersedes kind']],
    ['a voiding of nothing', { ...monthly, kind: 'void' }, ['/supersedes kind']],
    ['no data', { ...monthly, data: undefined }, ['/data envelope']],
    ['data that are a list', { ...monthly, data: [] }, ['/data envelope']],
    [
      'many things at once',
      { ...monthly, filer: 'x', kind: 'y', period: { from: 'z' } },
      ['/filer identifier', '/kind envelope', '/period/from period', '/period/to envelope'],
    ],
  ])('%s', (_, value, expected) => {
    expect(pointers(value)).toEqual(expected);
  });

  test('a voiding needs no data; an original may follow a voiding; a reference may be Chinese', () => {
    const { data: _, ...bare } = monthly;
    expect(pointers({ ...bare, kind: 'void', supersedes: '13501000000.42' })).toEqual([]);
    expect(pointers({ ...monthly, supersedes: '13501000000.0' })).toEqual([]);
    expect(pointers({ ...event, reference: '住宿 第17号' })).toEqual([]);
  });

  test('nothing that was sent is repeated', () => {
    const { errors } = checkEnvelope({
      secret4711: 1,
      type: 'secret4711!',
      filer: 'secret4711',
      period: { from: 'secret4711', secret4711: 2 },
      kind: 'secret4711',
      reference: 'secret4711\t',
    });
    expect(errors?.length).toBeGreaterThan(5);
    expect(JSON.stringify(errors)).not.toContain('secret4711');
  });
});

describe('the envelope against its type', () => {
  const found = (value: object, type: string): string[] => {
    const { payload, errors } = checkEnvelope(value);
    if (payload === undefined) throw new Error(JSON.stringify(errors));
    return checkAgainstType(payload, typeOf(type)).map(({ pointer, code }) => `${pointer} ${code}`);
  };

  test.each([
    ['monthly', monthly, 'tax.vat.general', []],
    ['monthly with a reference', { ...monthly, reference: 'R' }, 'tax.vat.general', ['/reference reference']],
    ['event without a reference', { ...event, reference: undefined }, 'psb.lodging', ['/reference reference']],
    [
      'event over two days',
      { ...event, period: { from: '2026-10-03', to: '2026-10-04' } },
      'psb.lodging',
      ['/period period'],
    ],
    [
      'a quarter for a monthly type',
      { ...monthly, period: { from: '2026-07-01', to: '2026-09-30' } },
      'tax.vat.general',
      ['/period period'],
    ],
    [
      'a part of a month',
      { ...monthly, period: { from: '2026-10-01', to: '2026-10-30' } },
      'tax.vat.general',
      ['/period period'],
    ],
    ['an unknown version', { ...monthly, version: '2027-01' }, 'tax.vat.general', ['/version version']],
    ['a version of another time', { ...monthly, version: '2025-02' }, 'tax.vat.general', ['/version version']],
    ['the version of the time', { ...monthly, version: '2026-02' }, 'tax.vat.general', []],
    [
      'before the first version',
      { ...monthly, period: { from: '2020-01-01', to: '2020-01-31' } },
      'tax.vat.general',
      ['/period version'],
    ],
  ])('%s', (_, value, type, expected) => {
    expect(found(value, type)).toEqual(expected);
  });
});
