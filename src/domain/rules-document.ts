import type { Text } from '../std/text.ts';
import type { Catalogue, FilingType, FilingTypeVersion, RuleDefinition, RuleSet, RuleSum } from './filing-type.ts';
import { describeRule } from './rules/words.ts';
import { childNode, placeOf, resolveNode, type SchemaNode } from './schema-node.ts';

/** A rule as its readers see it. */
export interface DocumentedRule extends RuleDefinition {
  /** The expression in words. */
  readonly formula: Text;
  /** The form's own line that the finding is shown on, whoever has said so. */
  readonly line?: string;
  /** The same as people say it: 第32行, row 32. */
  readonly lineName?: Text;
  /** The part of the form that it is about, such as a schedule; absent for the form as a whole. */
  readonly part?: Text;
}

/** The rules of a version, to be read by people and by programs. */
export interface RulesDocument extends RuleSet {
  readonly type: string;
  readonly version: string;
  readonly title: Text;
  /** The same as `let`, by the name under which rules read them. */
  readonly sums: readonly RuleSum[];
  readonly rules: readonly DocumentedRule[];
}

/**
 * @param fewColumns formulas name the columns of a rule when there are not more of them; by default all
 */
export function rulesDocument(
  catalogue: Catalogue,
  { metadata }: FilingType,
  version: FilingTypeVersion,
  fewColumns = Number.POSITIVE_INFINITY,
): RulesDocument {
  const { ruleSet } = version;
  const schema = version.schema as SchemaNode;
  const schemas = new Map(Object.values(ruleSet.others).map(({ type }) => [type, newestSchema(catalogue, type)]));
  const documented = (rule: RuleDefinition): DocumentedRule => {
    const { columns, ...general } = rule;
    const told = (columns?.length ?? 0) > fewColumns ? general : rule;
    return { ...rule, formula: describeRule(told, ruleSet, schema, schemas), ...placeIn(schema, rule) };
  };
  return {
    type: metadata.type,
    version: version.metadata.version,
    title: metadata.title,
    ...ruleSet,
    sums: ruleSet.let,
    rules: ruleSet.rules.map(documented),
  };
}

function newestSchema(catalogue: Catalogue, type: string): object {
  return [...(catalogue.types.get(type)?.versions.values() ?? [])].at(-1)?.schema ?? {};
}

function placeIn(schema: SchemaNode, rule: RuleDefinition): Pick<DocumentedRule, 'line' | 'lineName' | 'part'> {
  const { line: found, lineName } = placeOf(schema, segmentsOf(rule));
  const line = rule.line ?? found;
  const part = partOf(schema, rule.pointer.split('/')[2] ?? '');
  return {
    ...(line === undefined ? {} : { line }),
    ...(lineName === undefined || line !== found ? {} : { lineName }),
    ...(part === undefined ? {} : { part }),
  };
}

/** Title of a member of `data`; one for each column has no title of its own. */
function partOf(schema: SchemaNode, member: string): Text | undefined {
  const node = childNode(schema, resolveNode(schema, schema), member);
  if (node?.title === undefined) return undefined;
  return { zh: node.title, en: node['x-title-en'] ?? node.title };
}

/** The path in `data` of what the rule is about, in the first element of a list, as far as it is the same in all columns. */
function segmentsOf({ pointer }: RuleDefinition): string[] {
  const [, root, ...segments] = pointer.replaceAll('{index}', '0').split('/');
  const columnAt = segments.findIndex((segment) => segment.includes('{column}'));
  const common = columnAt < 0 ? segments : segments.slice(0, columnAt);
  return root === 'data' ? common.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~')) : [];
}
