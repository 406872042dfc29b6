import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LeafInput, leafInputText, type ReceiptStatement, statementText } from '../../src/domain/statement.ts';

const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('', '"', '\\', '\n', '更正', 'é'));
const index = fc.maxSafeNat();

const statement: fc.Arbitrary<ReceiptStatement> = fc.record({
  iss: text,
  env: text,
  id: text,
  office: text,
  index,
  type: text,
  version: text,
  filer: text,
  period: fc.record({ from: text, to: text }),
  reference: fc.option(text, { nil: undefined }),
  kind: fc.constantFrom('original', 'correction', 'void', 'supplement'),
  supersedes: fc.option(text, { nil: undefined }),
  digest: text,
  leaf: text,
  receivedAt: text,
});

const leafInput: fc.Arbitrary<LeafInput> = fc.record({
  v: fc.constant(1 as const),
  id: text,
  office: text,
  index,
  receivedAt: text,
  commit: text,
});

// Both texts are written out by hand; the definition is RFC 8785, as a library of others implements it.
describe('what is hashed of a filing', () => {
  test('the statement is its RFC 8785 form', () => {
    fc.assert(fc.property(statement, (each) => statementText(each) === canonicalize(each)));
  });

  test('the input of its leaf is its RFC 8785 form', () => {
    fc.assert(fc.property(leafInput, (each) => leafInputText(each) === canonicalize(each)));
  });

  test('neither has a form for a lone surrogate, nor for an index that is no whole number', () => {
    const input: LeafInput = { v: 1, id: 'a', office: 'b', index: 0, receivedAt: 'c', commit: 'd' };
    expect(() => leafInputText({ ...input, office: '\ud800' })).toThrow(TypeError);
    expect(() => leafInputText({ ...input, index: 0.5 })).toThrow();
  });
});
