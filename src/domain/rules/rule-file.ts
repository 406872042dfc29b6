import type { Text } from '../../std/text.ts';
import type { OtherFiling, RegionalFigure, RuleConstant, RuleDefinition, RuleSet, RuleSum } from '../filing-type.ts';
import { escapePointer, type JsonDocument } from '../json-document.ts';
import { newAjv, type Report } from '../schema-compile.ts';

/** `rules.json` as it is written. `extends` names another version of the same type: a version is a difference, not a copy. */
interface RuleFile {
  readonly extends?: string;
  readonly remove?: readonly string[];
  readonly columns?: Readonly<Record<string, Text>>;
  readonly constants?: Readonly<Record<string, RuleConstant>>;
  readonly let?: readonly RuleSum[];
  readonly others?: Readonly<Record<string, OtherFiling>>;
  readonly regional?: Readonly<Record<string, RegionalFigure>>;
  readonly rules?: readonly RuleDefinition[];
}

/** Where a rule was written, for findings about it. */
export interface RuleOrigin {
  readonly version: string;
  readonly document: JsonDocument;
  readonly pointer: string;
}

export interface LoadedRules extends RuleSet {
  readonly origins: ReadonlyMap<string, RuleOrigin>;
}

const text = {
  type: 'object',
  properties: { zh: { type: 'string', minLength: 1 }, en: { type: 'string', pattern: '^[^\\p{Han}]+$' } },
  required: ['zh', 'en'],
  additionalProperties: false,
};
const names = {
  type: 'array',
  items: { type: 'string', pattern: '^[A-Za-z][A-Za-z0-9]*$' },
  minItems: 1,
  uniqueItems: true,
};
const columnNames = { ...names, items: { type: 'string', pattern: '^[A-Za-z0-9]+$' } };
const path = { type: 'string', minLength: 1 };
const safeInteger = { type: 'integer', minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };

const validateRuleFile = newAjv().compile({
  type: 'object',
  properties: {
    extends: { type: 'string' },
    remove: { type: 'array', items: { type: 'string' } },
    columns: { type: 'object', propertyNames: columnNames.items, additionalProperties: text },
    constants: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        properties: {
          title: text,
          value: {
            anyOf: [
              safeInteger,
              { type: 'array', items: safeInteger, minItems: 1 },
              { type: 'object', additionalProperties: safeInteger },
            ],
          },
          source: { type: 'string', minLength: 1 },
        },
        required: ['title', 'value', 'source'],
        additionalProperties: false,
      },
    },
    let: {
      type: 'array',
      items: {
        type: 'object',
        properties: { name: names.items, sum: path, count: path, distinct: path, by: names, columns: columnNames },
        required: ['name'],
        dependentRequired: { by: ['distinct'] },
        oneOf: ['sum', 'count', 'distinct'].map((kind) => ({ properties: { [kind]: true }, required: [kind] })),
        additionalProperties: false,
      },
    },
    others: {
      type: 'object',
      propertyNames: names.items,
      additionalProperties: {
        type: 'object',
        properties: {
          title: text,
          type: { type: 'string', minLength: 1 },
          period: { enum: ['previous', 'same', 'within', 'year-before'] },
          reference: path,
          versions: { type: 'array', items: path, minItems: 1, uniqueItems: true },
          element: {
            type: 'object',
            properties: { list: path, by: names },
            required: ['list', 'by'],
            additionalProperties: false,
          },
        },
        required: ['title', 'type'],
        oneOf: ['period', 'reference'].map((name) => ({ properties: { [name]: true }, required: [name] })),
        additionalProperties: false,
      },
    },
    regional: {
      type: 'object',
      propertyNames: { type: 'string', pattern: '^[A-Za-z][A-Za-z0-9]*(\\.[A-Za-z][A-Za-z0-9]*)?$' },
      additionalProperties: {
        type: 'object',
        properties: {
          title: text,
          value: safeInteger,
          unit: { enum: ['fen', 'basis-points', 'count'] },
          source: { type: 'string', minLength: 1 },
        },
        required: ['title', 'unit', 'source'],
        additionalProperties: false,
      },
    },
    rules: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          id: { type: 'string', pattern: '^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$' },
          severity: { enum: ['error', 'warning'] },
          pointer: { type: 'string', pattern: '^/' },
          line: { type: 'string' },
          title: text,
          message: text,
          expression: { type: 'string', minLength: 1 },
          source: { type: 'string', minLength: 1 },
          columns: columnNames,
          each: { type: 'string', pattern: '^/data/' },
          when: { type: 'array', items: path, minItems: 1 },
        },
        required: ['id', 'severity', 'pointer', 'title', 'message', 'expression', 'source'],
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
});

/** The rules of a version with what they inherit. Findings are reported at their place in `document`. */
export function loadRules(
  version: string,
  document: JsonDocument,
  base: LoadedRules | undefined,
  report: Report,
): LoadedRules | undefined {
  if (!validateRuleFile(document.value)) {
    for (const error of validateRuleFile.errors ?? [])
      report(error.instancePath, `${error.keyword}: ${error.message ?? ''}`);
    return undefined;
  }
  const file = document.value as unknown as RuleFile;
  const origins = new Map(base?.origins);
  const rules = new Map(base?.rules.map((rule) => [rule.id, rule]));
  for (const [i, id] of (file.remove ?? []).entries()) {
    if (!rules.delete(id)) report(`/remove/${i}`, `there is no inherited rule ${id}`);
    origins.delete(id);
  }
  const own = new Set<string>();
  for (const [i, rule] of (file.rules ?? []).entries()) {
    const pointer = `/rules/${i}`;
    if (own.has(rule.id)) report(`${pointer}/id`, `rule ${rule.id} is there twice`);
    own.add(rule.id);
    rules.set(rule.id, rule);
    origins.set(rule.id, { version, document, pointer });
  }
  return {
    columns: { ...base?.columns, ...file.columns },
    constants: { ...base?.constants, ...file.constants },
    let: mergeByName(base?.let ?? [], file.let ?? []),
    others: { ...base?.others, ...file.others },
    regional: { ...base?.regional, ...file.regional },
    rules: [...rules.values()],
    origins,
  };
}

function mergeByName(base: readonly RuleSum[], own: readonly RuleSum[]): RuleSum[] {
  return [...new Map([...base, ...own].map((sum) => [sum.name, sum])).values()];
}

/** The version that `rules.json` builds upon, if it says one. */
export function extendedVersion(document: JsonDocument): string | undefined {
  const value = document.value as { readonly extends?: unknown } | null;
  return typeof value?.extends === 'string' ? value.extends : undefined;
}

export function originOf(rules: LoadedRules, id: string): RuleOrigin {
  const origin = rules.origins.get(id);
  if (origin === undefined) throw new Error(`broken invariant: rule ${escapePointer(id)} has an origin`);
  return origin;
}
