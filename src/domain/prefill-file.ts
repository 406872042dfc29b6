import type { ValidateFunction } from 'ajv/dist/2020.js';
import type { Text } from '../std/text.ts';
import { pathSegments } from './carry-over.ts';
import type { JsonDocument } from './json-document.ts';
import type { CarryList, CarryRule, CarryValue, Prefill } from './prefill.ts';
import { newAjv, type Report } from './schema-compile.ts';
import { dataPointer, placeOf, resolveNode, type SchemaNode } from './schema-node.ts';

const path = { type: 'string', minLength: 1, maxLength: 200 };
const paths = { type: 'array', items: path, uniqueItems: true };
const onePathOrMore = { anyOf: [path, { ...paths, minItems: 1 }] };
const kinds = { type: 'array', items: { enum: ['month', 'quarter', 'half-year', 'year', 'day'] }, minItems: 1 };
const value = {
  type: 'object',
  properties: {
    from: onePathOrMore,
    to: onePathOrMore,
    within: { enum: ['year', 'earlier-year', 'year-end'] },
    periods: kinds,
    atLeast: { type: 'integer' },
    add: { type: 'integer' },
    as: { type: 'integer' },
  },
  required: ['from', 'to'],
  additionalProperties: false,
};
const list = {
  type: 'object',
  properties: {
    each: path,
    where: { type: 'object' },
    skeleton: { type: 'object' },
    carry: { type: 'array', items: { anyOf: [path, value] } },
  },
  required: ['each', 'carry'],
  additionalProperties: false,
};
const count = {
  type: 'object',
  properties: { count: path, to: path },
  required: ['count', 'to'],
  additionalProperties: false,
};

const FILE = {
  type: 'object',
  properties: {
    extends: { type: 'string', minLength: 1 },
    zero: {
      type: 'object',
      properties: {
        periods: kinds,
        unless: {
          type: 'array',
          items: {
            anyOf: [
              path,
              {
                type: 'object',
                properties: { path, not: { type: 'string' } },
                required: ['path', 'not'],
                additionalProperties: false,
              },
            ],
          },
        },
      },
      required: ['unless'],
      additionalProperties: false,
    },
    skeleton: { type: 'object' },
    byPeriod: { type: 'object', propertyNames: kinds.items, additionalProperties: { type: 'object' } },
    carry: { type: 'array', items: { anyOf: [path, value, list, count] } },
    fill: paths,
    fillFirst: paths,
  },
  additionalProperties: false,
};

let shape: ValidateFunction | undefined;

/**
 * What a filing of a version begins with, from its `prefill.json`. `{ "extends": "<version>" }` takes everything from
 * another version's file, but for the members that are given beside it. Checks the shape, and that every path is one of the
 * schema; undefined, with findings, when something is wrong.
 * @param other the file of another version, if it has one
 */
export function readPrefill(
  document: JsonDocument,
  schema: SchemaNode,
  other: (version: string) => JsonDocument | undefined,
  report: Report,
): Prefill | undefined {
  let isSound = true;
  const note: Report = (pointer, message) => {
    isSound = false;
    report(pointer, message);
  };
  shape ??= newAjv().compile(FILE);
  if (!shape(document.value)) {
    for (const error of shape.errors ?? []) note(error.instancePath, `${error.keyword}: ${error.message ?? ''}`);
    return undefined;
  }
  const prefill = resolvePrefill(document, other);
  if (prefill === undefined) {
    note('/extends', 'there is no version of that name with a prefill.json of its own');
    return undefined;
  }
  checkPaths(prefill, schema, note);
  return isSound ? prefill : undefined;
}

/** As {@link readPrefill}, of files that were found sound before. */
export function resolvePrefill(
  document: JsonDocument,
  other: (version: string) => JsonDocument | undefined,
): Prefill | undefined {
  const { extends: base, ...own } = document.value as Partial<Prefill> & { readonly extends?: string };
  const inherited = base === undefined ? undefined : (other(base)?.value as Partial<Prefill> | undefined);
  if (base !== undefined && (inherited === undefined || 'extends' in inherited)) return undefined;
  return { skeleton: {}, carry: [], fill: [], fillFirst: [], ...inherited, ...own };
}

function checkPaths(prefill: Prefill, schema: SchemaNode, report: Report): void {
  const mustExist = (text: string, at: string, root: SchemaNode = schema, node: SchemaNode = schema): void => {
    if (nodesAt(root, node, pathSegments(text)).length === 0) report(at, `the schema has no ${text}`);
  };
  for (const [i, rule] of prefill.carry.entries()) checkRule(rule, `/carry/${i}`, schema, mustExist, report);
  for (const [i, each] of (prefill.zero?.unless ?? []).entries())
    mustExist(typeof each === 'string' ? each : each.path, `/zero/unless/${i}`);
  for (const member of ['fill', 'fillFirst'] as const) {
    for (const [i, text] of prefill[member].entries()) {
      if (fillPlaces(schema, [text]).length === 0) report(`/${member}/${i}`, `the schema has no ${text}`);
    }
  }
}

/** The paths of what is payable must be amounts in every version. */
export function checkAmountPaths(texts: readonly string[], version: string, schema: SchemaNode, report: Report): void {
  for (const [i, text] of texts.entries()) {
    const found = nodesAt(schema, schema, pathSegments(text));
    if (found.length === 0 || found.some((node) => node.type !== 'integer'))
      report(`/amountDue/${i}`, `${text} is no amount in version ${version}`);
  }
}

type MustExist = (text: string, at: string, root?: SchemaNode, node?: SchemaNode) => void;

function checkRule(rule: CarryRule, at: string, schema: SchemaNode, mustExist: MustExist, report: Report): void {
  if (typeof rule === 'string') {
    mustExist(rule, at);
  } else if ('count' in rule) {
    mustExist(rule.count, `${at}/count`);
    mustExist(rule.to, `${at}/to`);
  } else if ('from' in rule) {
    checkValue(rule, at, mustExist, report, schema, schema);
  } else {
    checkList(rule, at, schema, mustExist, report);
  }
}

function checkList(rule: CarryList, at: string, schema: SchemaNode, mustExist: MustExist, report: Report): void {
  const [array] = nodesAt(schema, schema, pathSegments(rule.each));
  const item = array?.type === 'array' && array.items !== undefined ? resolveNode(schema, array.items) : undefined;
  if (item === undefined) {
    report(`${at}/each`, `the schema has no list ${rule.each}`);
    return;
  }
  for (const name of Object.keys(rule.where ?? {})) mustExist(name, `${at}/where/${name}`, schema, item);
  for (const [i, member] of rule.carry.entries()) {
    if (typeof member === 'string') mustExist(member, `${at}/carry/${i}`, schema, item);
    else checkValue(member, `${at}/carry/${i}`, mustExist, report, schema, item);
  }
}

function checkValue(
  rule: CarryValue,
  at: string,
  mustExist: MustExist,
  report: Report,
  root: SchemaNode,
  node: SchemaNode,
): void {
  const all = [rule.from, rule.to].flat();
  for (const [member, texts] of Object.entries({ from: rule.from, to: rule.to }))
    for (const text of [texts].flat()) mustExist(text, `${at}/${member}`, root, node);
  const wildcards = new Set(all.map((text) => pathSegments(text).filter((segment) => segment === '*').length));
  if (wildcards.size > 1) report(at, 'from and to must have as many * as each other');
}

/** The nodes at a path; `*` stands for every property. Cells printed "—" are none. */
function nodesAt(root: SchemaNode, node: SchemaNode, segments: readonly string[]): SchemaNode[] {
  return walk(root, node, segments).map(({ node: found }) => found);
}

interface Found {
  readonly names: readonly string[];
  readonly node: SchemaNode;
}

function walk(root: SchemaNode, node: SchemaNode, segments: readonly string[], names: readonly string[] = []): Found[] {
  const [segment, ...rest] = segments;
  if (segment === undefined) return node['x-dash'] === true ? [] : [{ names, node }];
  const properties = Object.entries(node.properties ?? {});
  return properties.flatMap(([name, child]) => {
    if (typeof child !== 'object' || (segment !== '*' && segment !== name)) return [];
    return walk(root, resolveNode(root, child), rest, [...names, name]);
  });
}

/** A field of the form that is left to fill. */
export interface FillPlace {
  /** Into the payload; `{index}` in it stands for every element of the list. */
  readonly pointer: string;
  readonly title: Text;
  /** The form's own line (栏次). */
  readonly line?: string;
}

/** The fields that the paths stand for. A path through a list has `[]` behind the list's name. */
export function fillPlaces(schema: SchemaNode, texts: readonly string[]): FillPlace[] {
  return texts.flatMap((text) => {
    const [before = '', after] = text.split('[].');
    const found = walk(schema, schema, pathSegments(before));
    if (after === undefined) return found.map(({ names }) => place(schema, names, dataPointer(names)));
    return found.flatMap(({ names, node }) => {
      const item = node.items === undefined ? undefined : resolveNode(schema, node.items);
      if (item === undefined) return [];
      const root: SchemaNode = schema.$defs === undefined ? item : { ...item, $defs: schema.$defs };
      return walk(schema, item, pathSegments(after)).map((inner) =>
        place(root, inner.names, `${dataPointer(names)}/{index}${dataPointer(inner.names).slice('/data'.length)}`),
      );
    });
  });
}

function place(root: SchemaNode, names: readonly string[], pointer: string): FillPlace {
  const { label, line } = placeOf(root, names);
  return { pointer, title: label, ...(line === undefined ? {} : { line }) };
}
