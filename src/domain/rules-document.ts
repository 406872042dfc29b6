import type { Text } from '../std/text.ts';
import type { FilingType, FilingTypeVersion, RuleDefinition, RuleSet, RuleSum } from './filing-type.ts';
import { childNode, placeOf, resolveNode, type SchemaNode } from './schema-node.ts';

/** A rule as its readers see it: with the line that its finding is shown on, whoever has said so. */
export interface DocumentedRule extends RuleDefinition {
  readonly line?: string;
  /** The line as the form counts it: 第32行, row 32. */
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

export function rulesDocument({ metadata }: FilingType, version: FilingTypeVersion): RulesDocument {
  const { ruleSet } = version;
  const schema = version.schema as SchemaNode;
  return {
    type: metadata.type,
    version: version.metadata.version,
    title: metadata.title,
    ...ruleSet,
    sums: ruleSet.let,
    rules: ruleSet.rules.map((rule) => documented(rule, schema)),
  };
}

function documented(rule: RuleDefinition, schema: SchemaNode): DocumentedRule {
  const segments = segmentsOf(rule);
  const place = placeOf(schema, segments);
  const line = rule.line ?? place.line;
  const lineName = line === place.line ? place.lineName : undefined;
  const part = partOf(schema, rule.pointer.split('/')[2] ?? '');
  return {
    ...rule,
    ...(line === undefined ? {} : { line }),
    ...(lineName === undefined ? {} : { lineName }),
    ...(part === undefined ? {} : { part }),
  };
}

/** Title of a member of `data`; one for each column has no title of its own. */
function partOf(schema: SchemaNode, member: string): Text | undefined {
  const node = childNode(schema, resolveNode(schema, schema), member);
  if (node?.title === undefined) return undefined;
  return { zh: node.title, en: node['x-title-en'] ?? node.title };
}

/** The path in `data` of what the rule is about: in its first column, and in the first element of a list. */
function segmentsOf({ pointer, columns }: RuleDefinition): string[] {
  const [, root, ...segments] = pointer
    .replaceAll('{column}', columns?.[0] ?? '')
    .replaceAll('{index}', '0')
    .split('/');
  return root === 'data' ? segments.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~')) : [];
}
