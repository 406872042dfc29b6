import type { FilingTypeMetadata, FilingTypeVersion, OtherFiling } from './filing-type.ts';
import type { JsonDocument } from './json-document.ts';
import type { CompiledRules } from './rules/compile.ts';
import type { OtherTypes } from './rules/others.ts';
import type { LoadedRules } from './rules/rule-file.ts';
import { isComparing } from './rules/rule-paths.ts';
import { type RuleRunner, ruleRunner } from './rules/run.ts';
import type { Report } from './schema-compile.ts';
import { childNode, resolveNode, type SchemaNode } from './schema-node.ts';

/** The rules of a version that compare filings, compiled when first needed: they read the forms of other types. */
export interface Comparison {
  readonly compare: FilingTypeVersion['compare'];
  /** Reports what is wrong with the rules. */
  readonly prepare: () => void;
}

export function comparisonOf(rules: LoadedRules, compile: () => CompiledRules): Comparison {
  if (!rules.rules.some(isComparing)) return { compare: () => [], prepare: () => undefined };
  let runner: RuleRunner | undefined;
  const prepared = (): RuleRunner => {
    runner ??= ruleRunner(compile());
    return runner;
  };
  return {
    prepare: prepared,
    compare: (payload, others, figures) => {
      // A voiding has no content to compare.
      if (payload.data === undefined) return [];
      const { errors, warnings } = prepared()(payload, figures, others);
      return [...errors, ...warnings];
    },
  };
}

/** What `others` of a rule file declares, looked at with all types at hand. Inherited declarations were looked at where they stand. */
export function checkOthers(
  document: JsonDocument,
  metadata: FilingTypeMetadata,
  schema: SchemaNode,
  types: OtherTypes,
  report: Report,
): void {
  const { others = {} } = document.value as { readonly others?: Readonly<Record<string, OtherFiling>> };
  for (const [name, other] of Object.entries(others)) {
    const at = `/others/${name}`;
    const versions = types.get(other.type);
    if (versions === undefined) {
      report(`${at}/type`, `there is no type ${other.type}`);
      continue;
    }
    for (const version of other.versions ?? []) {
      if (!versions.some((known) => known.metadata.version === version))
        report(`${at}/versions`, `${other.type} has no version ${version}`);
    }
    if (other.reference !== undefined && nodeAt(schema, other.reference)?.type !== 'string')
      report(`${at}/reference`, `data.${other.reference} is not a string of the schema`);
    if (other.period !== undefined && metadata.periods.includes('event'))
      report(`${at}/period`, 'an event has no period: name the other filing by its reference');
  }
}

/** What a supplement must keep has to be there in each version of the form. */
export function checkSupplement(
  { kinds: { supplement } }: FilingTypeMetadata,
  version: string,
  schema: SchemaNode,
  report: Report,
): void {
  if (supplement === undefined) return;
  const rule = '/kinds/supplement';
  for (const [path, by] of Object.entries(supplement.lists)) {
    const list = nodeAt(schema, path);
    const element = list?.type === 'array' && list.items !== undefined ? resolveNode(schema, list.items) : undefined;
    if (element?.type !== 'object') report(`${rule}/lists/${path}`, `${path} is no list in version ${version}`);
    for (const member of element === undefined ? [] : by) {
      const type = element && nodeAt(schema, member, element)?.type;
      if (type !== 'string' && type !== 'integer')
        report(`${rule}/lists/${path}`, `${path} has no ${member} in version ${version} that tells elements apart`);
    }
  }
  for (const [i, path] of supplement.amounts.entries()) {
    if (nodeAt(schema, path)?.type !== 'integer')
      report(`${rule}/amounts/${i}`, `${path} is no whole number in version ${version}`);
  }
}

function nodeAt(root: SchemaNode, path: string, from: SchemaNode = root): SchemaNode | undefined {
  let node: SchemaNode | undefined = resolveNode(root, from);
  for (const name of path.split('.')) node = node?.type === 'object' ? childNode(root, node, name) : undefined;
  return node;
}
