import type { DataValidator } from './data-validator.ts';
import type { FilingTypeVersion } from './filing-type.ts';
import { MAX_FINDINGS, type RuleRunner } from './rules/run.ts';
import { isEcho, schemaViolation } from './schema-messages.ts';
import type { SchemaNode } from './schema-node.ts';

/** The check of a version: the schema, and the rules only when it holds, since a rule relies on it. */
export function versionCheck(
  schema: SchemaNode,
  validate: DataValidator,
  runRules: RuleRunner,
): FilingTypeVersion['check'] {
  return (payload, figures) => {
    const found = validate(payload.data);
    if (found.length === 0) return runRules(payload, figures);
    const errors = [];
    let more = 0;
    for (const error of found) {
      if (isEcho(error)) continue;
      if (errors.length < MAX_FINDINGS) errors.push(schemaViolation(schema, error));
      else more++;
    }
    return { errors, warnings: [], more };
  };
}
