import { Ajv2020 } from 'ajv/dist/2020.js';
import { RE2JS } from 're2js';
import { compileValidator, type DataValidator } from './data-validator.ts';
import { FORMATS } from './formats.ts';
import { escapePointer, valueAt } from './json-document.ts';
import { isNumbering, resolveNode, type SchemaNode } from './schema-node.ts';

/** Adds a finding about the value at a pointer of the file in hand. */
export type Report = (pointer: string, message: string) => void;

/** No field with a pattern is longer. RE2 is linear, but a long text need not be looked at to know that it is too long. */
const PATTERN_MAX = 65_536;

/** Anchored characters and classes, each with a bounded number: most patterns of forms. */
const PLAIN = /^\^(?:(?:\[[^\]\\]+\]|[A-Za-z0-9@-])(?:\{\d{1,3}(?:,\d{1,3})?\}|\?)?)+\$$/;
const VARIABLE = /\{\d+,\d+\}|\?/g;

/**
 * Whether no engine can take long: the pattern itself bounds what is looked at, and with one number that varies there is
 * nothing to try twice. Such a pattern costs a twentieth in the engine of the machine.
 */
function isPlain(pattern: string): boolean {
  const classless = pattern.replaceAll(/\[[^\]]*\]/g, '');
  return PLAIN.test(pattern) && (classless.match(VARIABLE)?.length ?? 0) <= 1;
}

/** Patterns run in RE2's linear-time engine: a schema comes from outside the code, its input from outside the house. */
function linearRegExp(pattern: string, flags: string): { test(text: string): boolean; toString(): string } {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern), flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0);
  const native = isPlain(pattern) ? new RegExp(pattern, flags) : undefined;
  const matches =
    native === undefined ? (text: string) => compiled.matcher(text).find() : (text: string) => native.test(text);
  return {
    test: (text) => text.length <= PATTERN_MAX && matches(text),
    // Ajv keeps one expression for each of these texts: without it, all patterns would be the first one.
    toString: () => `/${pattern}/${flags}`,
  };
}
const regExp = Object.assign(linearRegExp, { code: 'linearRegExp' });

const KEYWORDS = ['x-title-en', 'x-line', 'x-lines', 'x-unit', 'x-dash'];

export function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allErrors: true, validateFormats: true, code: { regExp } });
  ajv.addVocabulary(KEYWORDS);
  for (const [name, format] of Object.entries(FORMATS))
    ajv.addFormat(name, { type: 'string', validate: format.validate });
  return ajv;
}

/** Compiles the schemas of a catalogue. One Ajv for all: making one takes longer than compiling most schemas. */
export class SchemaCompiler {
  readonly #ajv = newAjv();
  readonly #known = new Map<string, DataValidator>();

  /** Of a schema that `compile` has found sound before. */
  compileChecked(schema: SchemaNode): DataValidator {
    return compileValidator(this.#ajv, schema, this.#known);
  }

  /** Undefined, with findings, when the schema is not one that the gateway accepts. */
  compile(schema: unknown, report: Report): DataValidator | undefined {
    let isSound = true;
    const note: Report = (pointer, message) => {
      isSound = false;
      report(pointer, message);
    };
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) note('', 'a schema must be an object');
    else if (this.#ajv.validateSchema(schema) !== true) {
      for (const error of this.#ajv.errors ?? []) note(error.instancePath, `${error.keyword}: ${error.message ?? ''}`);
    } else lint(schema as SchemaNode, note);
    if (!isSound) return undefined;
    try {
      return this.compileChecked(schema as SchemaNode);
    } catch (error) {
      note('', error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
}

/** What the messages, the writing out of references and the rules' variables understand. */
const KNOWN = new Set([
  ...['$schema', '$ref', '$defs', '$comment', 'title', 'description', 'default', ...KEYWORDS],
  ...['type', 'enum', 'const', 'format', 'pattern', 'minLength', 'maxLength'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['properties', 'required', 'additionalProperties', 'dependentRequired', 'minProperties', 'maxProperties'],
  ...['items', 'minItems', 'maxItems', 'uniqueItems', 'contains', 'minContains', 'maxContains'],
  ...['not', 'if', 'then', 'else', 'allOf', 'anyOf', 'oneOf'],
]);

const SAFE = Number.MAX_SAFE_INTEGER;

/**
 * What the gateway asks of a schema beyond JSON Schema: names in two languages for every property, bounds for
 * everything that can be large, no open objects, no references out of the file.
 */
function lint(root: SchemaNode, report: Report): void {
  if (root.$schema !== 'https://json-schema.org/draft/2020-12/schema') report('/$schema', '$schema must be 2020-12');
  if (root.type !== 'object') report('/type', 'the data of a filing must be of type object');
  lintRecursion(root, report);
  walk(root, '', (node, pointer) => {
    lintReference(root, node, pointer, report);
    for (const keyword of Object.keys(node))
      if (!KNOWN.has(keyword)) report(`${pointer}/${escapePointer(keyword)}`, `keyword ${keyword} is not known here`);
    if (node['x-lines'] !== undefined && !isNumbering(node['x-lines']))
      report(
        `${pointer}/x-lines`,
        'x-lines is { "as": "line", "row" or "column", "of": { "zh", "en" } }, each optional',
      );
    lintBounds(node, pointer, report);
    lintProperties(root, node, pointer, report);
    if (typeof node.pattern === 'string') {
      lintPattern(node.pattern, `${pointer}/pattern`, report);
      if (!(Number(node.maxLength) <= PATTERN_MAX))
        report(pointer, `a pattern needs a maxLength of at most ${PATTERN_MAX}`);
    }
  });
}

/** Names and declarations only: a `$ref` is written out with these in the place of its target's. */
const BESIDE_REF = new Set(['$ref', 'title', 'description', 'default', ...KEYWORDS]);

function lintReference(root: SchemaNode, node: SchemaNode, pointer: string, report: Report): void {
  if (node.$dynamicRef !== undefined || node.$id !== undefined) report(pointer, '$id and $dynamicRef are not allowed');
  if (node.$ref === undefined) return;
  if (!/^#\/\$defs\/[^/]+$/.test(node.$ref)) report(`${pointer}/$ref`, '$ref must be #/$defs/<name>');
  else if (valueAt(root, node.$ref.slice(1)) === undefined) report(`${pointer}/$ref`, `${node.$ref} does not exist`);
  for (const keyword of Object.keys(node)) {
    if (!BESIDE_REF.has(keyword))
      report(`${pointer}/${escapePointer(keyword)}`, `${keyword} is not allowed beside $ref`);
  }
}

/** A definition that contains itself could not be written out, and a form has no such thing. */
function lintRecursion(root: SchemaNode, report: Report): void {
  const uses = new Map<string, Set<string>>();
  for (const [name, definition] of Object.entries(root.$defs ?? {})) {
    const named = new Set<string>();
    walk(definition, '', ({ $ref }) => $ref !== undefined && named.add($ref.slice('#/$defs/'.length)));
    uses.set(name, named);
  }
  const reaches = (from: string, seen: Set<string>): Set<string> => {
    for (const next of uses.get(from) ?? []) if (!seen.has(next)) reaches(next, seen.add(next));
    return seen;
  };
  for (const name of uses.keys())
    if (reaches(name, new Set()).has(name)) report(`/$defs/${escapePointer(name)}`, `${name} contains itself`);
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
  if (node.uniqueItems === true && !['string', 'integer'].includes(node.items?.type ?? '')) {
    report(`${pointer}/uniqueItems`, 'uniqueItems is for strings and integers only: comparing objects is quadratic');
  }
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
    else if (/\p{Script=Han}/u.test(resolved['x-title-en'])) report(`${at}/x-title-en`, 'must be English');
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
const LISTS = ['allOf', 'anyOf', 'oneOf'];
const MAPS = ['properties', '$defs'];

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
