import type { ErrorObject } from 'ajv/dist/2020.js';
import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';

const text = (zh: string, en: string): Text => ({ zh, en });

const TYPE_NAMES: Readonly<Record<string, Text>> = {
  string: text('文本', 'a string'),
  integer: text('整数', 'an integer'),
  number: text('数字', 'a number'),
  boolean: text('布尔值', 'true or false'),
  object: text('对象', 'an object'),
  array: text('数组', 'an array'),
  null: text('null', 'null'),
};

type Params = Readonly<Record<string, unknown>>;

/**
 * What a keyword of JSON Schema asks for, in words. Only what the schema says goes in, never what was sent: limits and
 * names of known members are ours, values and unknown names may be personal data.
 */
const MESSAGES: Readonly<Record<string, (params: Params, schema: unknown) => Text>> = {
  required: () => text('缺少必填项', 'is required'),
  dependentRequired: () => text('缺少与其他项配套的必填项', 'a member that goes with another one is missing'),
  type: ({ type }) => typeMessage(type),
  enum: (_, schema) => allowedMessage(schema),
  const: (_, schema) => allowedMessage([schema]),
  minimum: ({ limit }) => text(`不得小于 ${limit}`, `must not be less than ${limit}`),
  maximum: ({ limit }) => text(`不得大于 ${limit}`, `must not be more than ${limit}`),
  exclusiveMinimum: ({ limit }) => text(`须大于 ${limit}`, `must be more than ${limit}`),
  exclusiveMaximum: ({ limit }) => text(`须小于 ${limit}`, `must be less than ${limit}`),
  multipleOf: ({ multipleOf }) => text(`须为 ${multipleOf} 的整数倍`, `must be a multiple of ${multipleOf}`),
  minLength: ({ limit }) => text(`不得少于 ${limit} 个字符`, `must have at least ${limit} characters`),
  maxLength: ({ limit }) => text(`不得超过 ${limit} 个字符`, `must have at most ${limit} characters`),
  pattern: () => text('格式不正确', 'does not have the right form'),
  format: ({ format }) => formatMessage(format),
  minItems: ({ limit }) => text(`不得少于 ${limit} 项`, `must have at least ${limit} items`),
  maxItems: ({ limit }) => text(`不得超过 ${limit} 项`, `must have at most ${limit} items`),
  uniqueItems: () => text('各项不得重复', 'items must differ from one another'),
  minProperties: ({ limit }) => text(`不得少于 ${limit} 个成员`, `must have at least ${limit} members`),
  maxProperties: ({ limit }) => text(`不得超过 ${limit} 个成员`, `must have at most ${limit} members`),
  additionalProperties: () => text('含有未定义的成员', 'has a member that is not defined'),
  unevaluatedProperties: () => text('含有未定义的成员', 'has a member that is not defined'),
  anyOf: () => text('不符合任何一种允许的形式', 'matches none of the allowed forms'),
  oneOf: () => text('应恰好符合一种允许的形式', 'must match exactly one of the allowed forms'),
  not: () => text('属于不允许的内容', 'is not allowed here'),
};

const UNKNOWN_KEYWORD = text('不符合要求', 'is not allowed by the schema');

function typeMessage(type: unknown): Text {
  const names = (Array.isArray(type) ? type : [type]).map((name) => TYPE_NAMES[String(name)] ?? UNKNOWN_KEYWORD);
  return text(`应为${names.map((name) => name.zh).join('或')}`, `must be ${names.map((name) => name.en).join(' or ')}`);
}

/** A list longer than this says less than the documentation does. */
const MAX_LISTED_VALUES = 12;

function allowedMessage(schema: unknown): Text {
  if (!Array.isArray(schema) || schema.length > MAX_LISTED_VALUES) {
    return text('取值不在允许范围内', 'is not one of the allowed values');
  }
  const list = schema.map((value) => JSON.stringify(value));
  return text(`只能取 ${list.join('、')}`, `must be ${list.join(' or ')}`);
}

function formatMessage(format: unknown): Text {
  if (format === 'date') return text('应为存在的日期，形如 2026-10-31', 'must be an existing date such as 2026-10-31');
  if (format === 'date-time') {
    return text(
      '应为带时区的时间，形如 2026-10-31T08:00:00.000Z',
      'must be a time with zone such as 2026-10-31T08:00:00.000Z',
    );
  }
  return text('格式不正确', 'does not have the right form');
}

/** One finding of ajv, as the contract lists it. */
export function violationOf(error: ErrorObject, prefix: string): Violation {
  const params = error.params as Params;
  const message = MESSAGES[error.keyword]?.(params, error.schema) ?? UNKNOWN_KEYWORD;
  const missing = error.keyword === 'required' ? `/${escapePointer(String(params.missingProperty))}` : '';
  return { pointer: `${prefix}${error.instancePath}${missing}`, code: 'schema', severity: 'error', message };
}

/** RFC 6901 section 3. */
function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
