import type { FilingPayload } from './filing.ts';
import type { FilingTypeMetadata } from './filing-type.ts';
import { childNode, resolveNode, type SchemaNode } from './schema-node.ts';

/** Does the filing come first in what its office is told? A voiding has no content that could say so. */
export function isUrgent(metadata: Pick<FilingTypeMetadata, 'urgent'> | undefined, payload: FilingPayload): boolean {
  if (metadata?.urgent === undefined) return false;
  let value = payload.data;
  for (const name of metadata.urgent.split('.')) {
    if (typeof value !== 'object' || value === null) return false;
    value = (value as Record<string, unknown>)[name];
  }
  return value === true;
}

/** Is the type's path one of a boolean in this version's form? Anything else would never be true. */
export function isUrgentPath(path: string, schema: SchemaNode): boolean {
  let node: SchemaNode | undefined = resolveNode(schema, schema);
  for (const name of path.split('.')) node = node?.type === 'object' ? childNode(schema, node, name) : undefined;
  return node?.type === 'boolean';
}
