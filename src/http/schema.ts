import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormatsModule from 'ajv-formats';
import type { TSchema } from 'typebox';
import type { Violation } from '../std/errors.ts';
import { violationOf } from './schema-messages.ts';

/** ajv-formats is CommonJS: its types put the function under `default` where Node's interop has it at the top. */
const addFormats = ('default' in addFormatsModule
  ? addFormatsModule.default
  : addFormatsModule) as unknown as typeof import('ajv-formats').default;

/** Findings beyond this many are dropped, not counted: a request this wrong is not being debugged one by one. */
const MAX_FINDINGS = 1_000;

/** Checks a value and fills in defaults. The value must be the gateway's own, never shared. */
export type Check = (value: unknown) => readonly Violation[];

/** Reads the strings of a path or a query into what their schema asks for; what does not fit is left for the check. */
export type Convert = (values: ReadonlyMap<string, readonly string[]>) => Record<string, unknown>;

let shared: Ajv2020 | undefined;

/** One for all routes, made when it is first needed. */
function routeAjv(): Ajv2020 {
  if (shared === undefined) {
    shared = new Ajv2020({
      allErrors: true,
      useDefaults: true,
      verbose: true,
      strict: true,
      // A `required` in one branch may name a member of another: no mistake in a union.
      strictRequired: false,
      strictTypes: false,
      strictTuples: false,
      validateFormats: true,
      // These schemas are the program's own, made by TypeBox; compiling the meta-schema to check them takes half a second.
      validateSchema: false,
    });
    addFormats(shared, ['date', 'date-time']);
  }
  return shared;
}

/**
 * The check of a route's schema. `prefix` goes before every pointer: `/query` or `/path`, empty for a body. Compiled when
 * it is first used: most routes are not needed in the first seconds, and the start is.
 * Types are never coerced here: ajv would turn null into 0 and round a long number.
 */
export function compileCheck(schema: TSchema, prefix: string): Check {
  let validate: ValidateFunction | undefined;
  return (value) => {
    validate ??= routeAjv().compile(withoutIds(schema) as object);
    return validate(value) ? [] : findings(validate.errors ?? [], prefix);
  };
}

function findings(errors: readonly ErrorObject[], prefix: string): Violation[] {
  const found: Violation[] = [];
  const seen = new Set<string>();
  for (const error of errors.slice(0, MAX_FINDINGS)) {
    const violation = violationOf(error, prefix);
    const key = `${violation.pointer} ${violation.message.en}`;
    if (seen.has(key)) continue;
    seen.add(key);
    found.push(violation);
  }
  return found;
}

/** `$id` names a schema in the OpenAPI document; to ajv the same name in two routes would be a clash. */
function withoutIds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutIds);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name, value]) => !(name === '$id' && typeof value === 'string'))
      .map(([name, value]) => [name, withoutIds(value)]),
  );
}

interface SchemaNode {
  readonly type?: string;
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
}

export function compileConvert(schema: TSchema): Convert {
  const properties = (schema as SchemaNode).properties ?? {};
  return (values) => {
    const result: Record<string, unknown> = {};
    for (const [name, given] of values) {
      const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
      define(result, name, property === undefined ? given : convertAll(given, property));
    }
    return result;
  };
}

/** A plain assignment would call the setter of `__proto__`. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}

function convertAll(given: readonly string[], property: SchemaNode): unknown {
  if (property.type === 'array') return given.map((text) => convertOne(text, property.items ?? {}));
  // Given twice where one is asked for: stays an array, which the check then refuses.
  return given.length === 1 ? convertOne(given[0] ?? '', property) : given;
}

function convertOne(text: string, node: SchemaNode): unknown {
  const types = [node.type, ...(node.anyOf ?? []).map((alternative) => alternative.type)];
  if (types.includes('integer') && /^-?(0|[1-9]\d{0,14})$/.test(text)) return Number(text);
  if (types.includes('number') && /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(text)) return Number(text);
  if (types.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
