import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';
import { FORMATS } from './formats.ts';
import { escapePointer, valueAt } from './json-document.ts';
import { resolveNode, type SchemaNode } from './schema-node.ts';

/** Adds a finding about the value at a pointer of the file in hand. */
export type Report = (pointer: string, message: string) => void;

/** Validates `data`. The result is Ajv's own list, empty when the data keep the schema. */
export type DataValidator = (data: unknown) => readonly ErrorObject[];

/** Patterns run in RE2's linear-time engine: a schema comes from outside the code, its input from outside the house. */
function linearRegExp(pattern: string, flags: string): { test(text: string): boolean } {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern), flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0);
  return { test: (text) => compiled.matcher(text).find() };
}
const regExp = Object.assign(linearRegExp, { code: 'linearRegExp' });

const KEYWORDS = ['x-title-en', 'x-line', 'x-unit', 'x-dash'];

export function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allErrors: true, validateFormats: true, code: { regExp } });
  ajv.addVocabulary(KEYWORDS);
  for (const [name, format] of Object.entries(FORMATS))
    ajv.addFormat(name, { type: 'string', validate: format.validate });
  return ajv;
}

/** Compiles the schema of a version; undefined, with findings, when it is not one that the gateway accepts. */
export function compileSchema(schema: unknown, report: Report): DataValidator | undefined {
  let isSound = true;
  const note: Report = (pointer, message) => {
    isSound = false;
    report(pointer, message);
  };
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    note('', 'a schema must be an object');
    return undefined;
  }
  lint(schema as SchemaNode, note);
  if (!isSound) return undefined;
  try {
    const validate = newAjv().compile(schema);
    return (data) => (validate(data) ? [] : (validate.errors ?? []));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    note(placeInMessage(message), message);
    return undefined;
  }
}

/** Ajv's strict mode names the place as `(/properties/a)` or `"#/properties/a"`, when it names one. */
function placeInMessage(message: string): string {
  const match = /(?:"[^"#]*#|data|schema is invalid: data)(\/[^"\s),]*)/.exec(message);
  return match?.[1] ?? '';
}

const SAFE = Number.MAX_SAFE_INTEGER;

/**
 * What the gateway asks of a schema beyond JSON Schema: names in two languages for every property, bounds for
 * everything that can be large, no open objects, no references out of the file.
 */
function lint(root: SchemaNode, report: Report): void {
  if (root.$schema !== 'https://json-schema.org/draft/2020-12/schema') report('/$schema', '$schema must be 2020-12');
  if (root.type !== 'object') report('/type', 'the data of a filing must be of type object');
  walk(root, '', (node, pointer) => {
    lintReference(root, node, pointer, report);
    lintBounds(node, pointer, report);
    lintProperties(root, node, pointer, report);
    if (typeof node.pattern === 'string') lintPattern(node.pattern, `${pointer}/pattern`, report);
  });
}

function lintReference(root: SchemaNode, node: SchemaNode, pointer: string, report: Report): void {
  if (node.$dynamicRef !== undefined || node.$id !== undefined) report(pointer, '$id and $dynamicRef are not allowed');
  if (node.$ref === undefined) return;
  if (!/^#\/\$defs\/[^/]+$/.test(node.$ref)) report(`${pointer}/$ref`, '$ref must be #/$defs/<name>');
  else if (valueAt(root, node.$ref.slice(1)) === undefined) report(`${pointer}/$ref`, `${node.$ref} does not exist`);
}

function lintBounds(node: SchemaNode, pointer: string, report: Report): void {
  if (node.type === 'number') report(`${pointer}/type`, 'number is not allowed: use integer (money is integer fen)');
  if (node.type === 'integer') {
    const { minimum, maximum } = node;
    if (typeof minimum !== 'number' || minimum < -SAFE)
      report(pointer, 'an integer needs a minimum of at least -(2^53-1)');
    if (typeof maximum !== 'number' || maximum > SAFE) report(pointer, 'an integer needs a maximum of at most 2^53-1');
  }
  if (node.type === 'string' && node.maxLength === undefined && node.enum === undefined && node.const === undefined) {
    if (node.format === undefined || node.format === 'text')
      report(pointer, 'a string needs maxLength, a format, enum or const');
  }
  if (node.type === 'array' && typeof node.maxItems !== 'number') report(pointer, 'an array needs maxItems');
  if (node.type === 'object' && node.additionalProperties !== false)
    report(pointer, 'an object needs additionalProperties: false');
}

function lintProperties(root: SchemaNode, node: SchemaNode, pointer: string, report: Report): void {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    if (typeof child === 'boolean') continue;
    const at = `${pointer}/properties/${escapePointer(name)}`;
    const resolved = resolveNode(root, child);
    if (typeof resolved.title !== 'string' || resolved.title === '')
      report(at, `property ${name} has no title (Chinese)`);
    if (typeof resolved['x-title-en'] !== 'string' || resolved['x-title-en'] === '')
      report(at, `property ${name} has no x-title-en`);
    if (resolved.default !== undefined && resolved.default !== 0 && resolved.default !== false) {
      report(`${at}/default`, 'default declares what an absent value counts as in rules: only 0 or false');
    }
  }
}

function lintPattern(pattern: string, pointer: string, report: Report): void {
  try {
    linearRegExp(pattern, 'u');
  } catch (error) {
    report(pointer, `pattern: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const SINGLE = [
  'items',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
];
const LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const MAPS = ['properties', '$defs', 'dependentSchemas', 'patternProperties'];

/** Every subschema with its pointer. Keywords outside the three lists hold no schema; Ajv refuses unknown ones. */
function walk(node: SchemaNode, pointer: string, visit: (node: SchemaNode, pointer: string) => void): void {
  visit(node, pointer);
  const descend = (child: unknown, at: string): void => {
    if (typeof child === 'object' && child !== null) walk(child as SchemaNode, at, visit);
  };
  for (const keyword of SINGLE) descend(node[keyword], `${pointer}/${keyword}`);
  for (const keyword of [...LISTS, ...MAPS]) {
    const children = node[keyword];
    if (typeof children !== 'object' || children === null) continue;
    for (const [name, child] of Object.entries(children))
      descend(child, `${pointer}/${keyword}/${escapePointer(name)}`);
  }
}
