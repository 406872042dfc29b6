import { describe, expect, test } from 'vitest';
import { checkExplanations, explain } from '../../src/domain/explanations.ts';
import type { Violation } from '../../src/std/errors.ts';

const warning = (rule: string, pointer: string): Violation => ({
  pointer,
  code: 'rule',
  rule,
  severity: 'warning',
  message: { zh: '', en: '' },
});
const pointers = (value: unknown): string[] => checkExplanations(value).map((each) => each.pointer);

describe('the form of explanations', () => {
  test.each([
    ['none', [], []],
    ['a good one', [{ rule: 'VAT-13', text: '情况说明：已核实，见 2026-10 凭证（第 5 号）。' }], []],
    ['one with its place', [{ rule: 'VAT-13', pointer: '/data/lines/13~1a', text: 'x' }], []],
    ['a thousand characters, also beyond the first plane', [{ rule: 'A', text: '𠮷'.repeat(1_000) }], []],
    ['no list', { rule: 'A', text: 'x' }, ['/explanations']],
    ['too many', Array.from({ length: 101 }, () => ({ rule: 'A', text: 'x' })), ['/explanations']],
    ['text in place of an object', ['A', null], ['/explanations/0', '/explanations/1']],
    ['nothing in it', [{}], ['/explanations/0/rule', '/explanations/0/text']],
    ['no words', [{ rule: 'A', text: '   ' }], ['/explanations/0/text']],
    ['too many words', [{ rule: 'A', text: 'x'.repeat(1_001) }], ['/explanations/0/text']],
    ['a control character', [{ rule: 'A', text: 'a\u0000b' }], ['/explanations/0/text']],
    ['a line break', [{ rule: 'A', text: 'a\nb' }], ['/explanations/0/text']],
    ['a pointer that is none', [{ rule: 'A', pointer: 'data', text: 'x' }], ['/explanations/0/pointer']],
    ['an unknown member', [{ rule: 'A', text: 'x', note: 'y' }], ['/explanations/0']],
  ])('%s', (_, value, expected) => {
    expect(pointers(value)).toEqual(expected);
  });
});

describe('a warning is explained', () => {
  test('by its rule, and before that by its rule and place', () => {
    const warnings = [warning('A', '/data/1'), warning('A', '/data/2'), warning('B', '/data/1')];
    const explained = explain(warnings, [
      { rule: 'A', text: 'all of A' },
      { rule: 'A', pointer: '/data/2', text: 'this one' },
      { rule: 'B', pointer: '/data/2', text: 'elsewhere' },
    ]);
    expect(explained.map((each) => each.explanation)).toEqual(['all of A', 'this one', undefined]);
    expect(warnings.every((each) => each.explanation === undefined)).toBe(true);
  });

  test('by its code when no rule of the type gives it', () => {
    const { rule: _, ...earlier } = { ...warning('', '/period'), code: 'earlier-period' };
    expect(explain([earlier], [{ rule: 'earlier-period', text: '新设' }])[0]?.explanation).toBe('新设');
  });
});
