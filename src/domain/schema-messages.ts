import type { ErrorObject } from 'ajv/dist/2020.js';
import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import { FORMATS } from './formats.ts';
import { pointerSegments } from './json-document.ts';
import { childNode, dataPointer, type Place, placeOf, type SchemaNode } from './schema-node.ts';

/** What a keyword's failure means, to be put behind the field's name. Parameters come from the schema, never from the filing. */
type Sentence = (params: Readonly<Record<string, unknown>>, place: Place) => Text;

const TYPES: Readonly<Record<string, Text>> = {
  integer: { zh: '整数', en: 'an integer' },
  string: { zh: '字符串', en: 'a string' },
  boolean: { zh: '布尔值（true 或 false）', en: 'true or false' },
  object: { zh: '对象', en: 'an object' },
  array: { zh: '数组', en: 'an array' },
};

const UNITS: Readonly<Record<string, Text>> = {
  fen: { zh: '（单位：分）', en: ' (in fen)' },
  'basis-points': { zh: '（单位：万分之一）', en: ' (in basis points)' },
  'per-100000': { zh: '（单位：十万分之一）', en: ' (in hundred-thousandths)' },
};

const amount = (params: Readonly<Record<string, unknown>>, place: Place): Text => {
  const unit = UNITS[place.node?.['x-unit'] ?? ''];
  return { zh: `${params.limit}${unit?.zh ?? ''}`, en: `${params.limit}${unit?.en ?? ''}` };
};

const SENTENCES: Readonly<Record<string, Sentence>> = {
  type: (params, place) => {
    const type = TYPES[String(params.type)] ?? { zh: String(params.type), en: String(params.type) };
    const unit = UNITS[place.node?.['x-unit'] ?? ''];
    return { zh: `应为${type.zh}${unit?.zh ?? ''}`, en: `must be ${type.en}${unit?.en ?? ''}` };
  },
  required: () => ({ zh: '必填，不能缺少', en: 'is required' }),
  additionalProperties: () => ({ zh: '是表上没有的项目', en: 'is not on the form' }),
  unevaluatedProperties: () => ({ zh: '是表上没有的项目', en: 'is not on the form' }),
  minimum: (params, place) => ({
    zh: `不得小于 ${amount(params, place).zh}`,
    en: `must be at least ${amount(params, place).en}`,
  }),
  maximum: (params, place) => ({
    zh: `不得大于 ${amount(params, place).zh}`,
    en: `must be at most ${amount(params, place).en}`,
  }),
  exclusiveMinimum: (params, place) => ({
    zh: `应大于 ${amount(params, place).zh}`,
    en: `must be more than ${amount(params, place).en}`,
  }),
  exclusiveMaximum: (params, place) => ({
    zh: `应小于 ${amount(params, place).zh}`,
    en: `must be less than ${amount(params, place).en}`,
  }),
  multipleOf: (params) => ({
    zh: `应为 ${params.multipleOf} 的整数倍`,
    en: `must be a multiple of ${params.multipleOf}`,
  }),
  minLength: (params) =>
    params.limit === 1
      ? { zh: '不能为空', en: 'must not be empty' }
      : { zh: `至少 ${params.limit} 个字符`, en: `must have at least ${params.limit} characters` },
  maxLength: (params) => ({ zh: `至多 ${params.limit} 个字符`, en: `must have at most ${params.limit} characters` }),
  pattern: () => ({ zh: '格式不符', en: 'does not have the required form' }),
  format: (params) =>
    FORMATS[String(params.format)]?.expected ?? { zh: '格式不符', en: 'does not have the required form' },
  enum: (params) => oneOf(params.allowedValues),
  const: (params) => ({ zh: `只能是 ${params.allowedValue}`, en: `must be ${params.allowedValue}` }),
  minItems: (params) => ({ zh: `至少 ${params.limit} 行`, en: `must have at least ${params.limit} rows` }),
  maxItems: (params) => ({ zh: `至多 ${params.limit} 行`, en: `must have at most ${params.limit} rows` }),
  uniqueItems: () => ({ zh: '有重复的行', en: 'has the same row twice' }),
  minProperties: (params) => ({ zh: `至少填写 ${params.limit} 项`, en: `must have at least ${params.limit} entries` }),
  maxProperties: (params) => ({ zh: `至多填写 ${params.limit} 项`, en: `must have at most ${params.limit} entries` }),
  dependentRequired: () => ({
    zh: '必填：已填写与它配套的项目',
    en: 'is required with another field that is filled in',
  }),
  not: (_, place) =>
    place.node?.['x-dash'] === true
      ? { zh: '在表上印为“—”，不得填写', en: 'is printed "—" on the form and must be absent' }
      : { zh: '填写不符合要求', en: 'is not allowed here' },
};

const FALLBACK: Text = { zh: '不符合该表的要求', en: 'does not meet the requirements of the form' };

function oneOf(values: unknown): Text {
  if (!Array.isArray(values) || values.length > 12)
    return { zh: '不在允许的代码之内', en: 'is not one of the allowed codes' };
  return { zh: `只能是以下之一：${values.join('、')}`, en: `must be one of: ${values.join(', ')}` };
}

/** Ajv reports these beside the failure that caused them; alone they tell a person nothing. */
const ECHOES = new Set(['if']);

export function isEcho(error: ErrorObject): boolean {
  return ECHOES.has(error.keyword);
}

/** One of Ajv's findings as people read it, in `/data`. The submitted value is in none of its words. */
export function schemaViolation(root: SchemaNode, error: ErrorObject): Violation {
  const parent = pointerSegments(error.instancePath);
  const params = error.params as Readonly<Record<string, unknown>>;
  const segments = [...parent, ...memberAtFault(root, parent, error.keyword, params)];
  const place = placeOf(root, segments);
  const sentence = SENTENCES[error.keyword]?.(params, place) ?? FALLBACK;
  const label = unnamed(place.label, error.keyword, segments.length === parent.length);
  return {
    pointer: dataPointer(segments),
    code: 'schema',
    ...(place.line === undefined ? {} : { line: place.line }),
    severity: 'error',
    message: { zh: `${label.zh}${sentence.zh}`, en: `${capitalised(label.en)} ${sentence.en}` },
  };
}

/** A missing or surplus member is pointed at itself; Ajv points at the object around it. */
function memberAtFault(
  root: SchemaNode,
  parent: readonly string[],
  keyword: string,
  params: Readonly<Record<string, unknown>>,
): string[] {
  if (keyword === 'required' || keyword === 'dependentRequired') return [String(params.missingProperty)];
  const surplus = params.additionalProperty ?? params.unevaluatedProperty;
  if (typeof surplus !== 'string' || !isNameLike(surplus)) return [];
  const node = placeOf(root, parent).node;
  return node !== undefined && childNode(root, node, surplus) === undefined ? [surplus] : [];
}

/** The name of an unknown member is the filer's text: shown only when it can be nothing but a field's name. */
function isNameLike(name: string): boolean {
  return /^([A-Za-z][A-Za-z_]{0,31}\d{0,2}|\d{1,3})$/.test(name);
}

function unnamed(label: Text, keyword: string, isAround: boolean): Text {
  if (keyword === 'additionalProperties' && isAround) {
    return {
      zh: `${label.zh === '' ? '申报内容' : label.zh}中有一个成员`,
      en: `A member of ${label.en === '' ? 'the filing' : label.en}`,
    };
  }
  return label.zh === '' ? { zh: '申报内容', en: 'The content' } : { zh: `${label.zh}：`, en: label.en };
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
