import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SupplementRule } from '../../src/domain/filing-type.ts';
import type { SchemaNode } from '../../src/domain/schema-node.ts';
import { supplementFindings } from '../../src/domain/supplement.ts';

const fen = (zh: string, en: string) => ({ type: 'integer', title: zh, 'x-title-en': en, 'x-unit': 'fen' });
const schema: SchemaNode = {
  type: 'object',
  properties: {
    persons: {
      type: 'array',
      title: '人员明细',
      'x-title-en': 'Persons',
      items: { $ref: '#/$defs/person' },
    },
    personCount: { type: 'integer', title: '人数', 'x-title-en': 'Number of persons' },
    totals: {
      type: 'object',
      title: '合计',
      'x-title-en': 'Totals',
      properties: { due: { ...fen('应缴合计', 'Total due'), 'x-line': '9' } },
    },
  },
  $defs: {
    person: {
      type: 'object',
      properties: {
        idType: { type: 'string', title: '证件类型', 'x-title-en': 'Id type' },
        idNumber: { type: 'string', title: '证件号码', 'x-title-en': 'Id number' },
        wage: fen('缴费工资', 'Wage'),
        months: { type: 'integer', title: '月数', 'x-title-en': 'Months' },
        pension: {
          type: 'object',
          title: '养老',
          'x-title-en': 'Pension',
          properties: { base: fen('基数', 'Base') },
        },
      },
    },
  },
};
const rule: SupplementRule = { lists: { persons: ['idType', 'idNumber'] }, amounts: ['personCount', 'totals.due'] };

const person = (idNumber: string, wage: number, more: object = {}): object => ({
  idType: 'resident-id',
  idNumber,
  wage,
  pension: { base: wage },
  ...more,
});
const content = (...persons: object[]): object => ({ persons, personCount: persons.length, totals: { due: 100 } });
const pointers = (before: unknown, after: unknown): string[] =>
  supplementFindings(rule, schema, before, after).errors.map((each) => each.pointer);

describe('a supplement', () => {
  test('may add elements and raise amounts, in any order', () => {
    const before = content(person('1', 500), person('2', 600));
    const after = content(person('3', 100), person('2', 601), person('1', 500));
    expect(supplementFindings(rule, schema, before, after)).toMatchObject({ errors: [], more: 0 });
    expect(pointers(before, before)).toEqual([]);
  });

  test('must not leave out an element, lower its amounts at any depth, or lower a total', () => {
    const before = content(person('1', 500), person('2', 600));
    expect(pointers(before, content(person('1', 500)))).toEqual(['/data/persons', '/data/personCount']);
    const lowered = content(person('3', 1), person('1', 499), person('2', 600, { pension: { base: 599 } }));
    expect(pointers(before, { ...lowered, totals: { due: 99 } })).toEqual([
      '/data/persons/1/wage',
      '/data/persons/1/pension/base',
      '/data/persons/2/pension/base',
      '/data/totals/due',
    ]);
  });

  test('is told in both languages where, and never the values', () => {
    const before = content(person('350102198804120011', 500));
    const { errors } = supplementFindings(rule, schema, before, content(person('440524188001010014', 500)));
    expect(errors).toEqual([
      {
        pointer: '/data/persons',
        code: 'supplement',
        severity: 'error',
        message: {
          zh: '人员明细：补充申报只增不减，被补充的申报的第1行不能缺少',
          en: 'Persons: a supplement adds and never lowers; row 1 of the filing that it supersedes must still be there',
        },
      },
    ]);
    const total = supplementFindings(rule, schema, { totals: { due: 2 } }, { totals: { due: 1 } }).errors[0];
    expect(total).toMatchObject({
      line: '9',
      message: { zh: expect.stringContaining('第9栏'), en: expect.stringContaining('line 9') },
    });
  });

  test('counts an absent amount as 0, and what is no amount not at all', () => {
    expect(pointers({ totals: { due: 0 } }, {})).toEqual([]);
    expect(pointers({ totals: { due: -5 } }, {})).toEqual([]);
    expect(pointers({ totals: { due: 1 } }, {})).toEqual(['/data/totals/due']);
    const before = content(person('1', 500, { months: 12 }));
    expect(pointers(before, content(person('1', 500, { months: 1 })))).toEqual([]);
  });

  test('of elements that are alike, keeps one for one', () => {
    const before = content(person('1', 500), person('1', 700));
    expect(pointers(before, content(person('1', 500), person('1', 700), person('1', 1)))).toEqual([]);
    expect(pointers(before, content(person('1', 700)))).toEqual(['/data/persons', '/data/personCount']);
    expect(pointers(before, content(person('1', 700), person('1', 500)))).toEqual([
      '/data/persons/1/wage',
      '/data/persons/1/pension/base',
    ]);
  });

  test('lists a hundred findings and counts the rest', () => {
    const many = content(...Array.from({ length: 150 }, (_, i) => person(String(i), 1)));
    const { errors, more } = supplementFindings(rule, schema, many, content());
    expect([errors.length, more]).toEqual([100, 51]);
  });

  test('that adds to another is a supplement of what that one adds to', () => {
    const contents = fc.uniqueArray(fc.tuple(fc.nat(20), fc.integer({ min: -50, max: 50 })), {
      selector: ([id]) => id,
      maxLength: 8,
    });
    const make = (persons: [number, number][]) => content(...persons.map(([id, wage]) => person(String(id), wage)));
    fc.assert(
      fc.property(contents, contents, contents, (a, b, c) => {
        const [x, y, z] = [make(a), make(b), make(c)];
        if (pointers(x, y).length === 0 && pointers(y, z).length === 0) expect(pointers(x, z)).toEqual([]);
      }),
    );
  });
});
