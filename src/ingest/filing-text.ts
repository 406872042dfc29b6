import type { Receipt, ReceiptStatement } from '../domain/statement.ts';
import { canonicalString } from '../std/canonical.ts';
import type { FilingView } from './view.ts';

/**
 * A filing and its receipt as JSON: the bytes that `JSON.stringify` writes, in half its time, as it is made for every answer.
 * Ids, dates, times, hashes and words of our own need no escape; what others have named may.
 */
export function filingText(filing: FilingView): string {
  const { id, type, version, filer, office, index, period, kind, digest, status, receivedAt, late, warnings } = filing;
  return (
    `{"id":"${id}","type":${text(type)},"version":${text(version)},"filer":${text(filer)},"office":"${office}","index":${index},` +
    `"period":{"from":"${period.from}","to":"${period.to}"}${optional('reference', filing.reference)},"kind":"${kind}"` +
    `${optional('supersedes', filing.supersedes)},"digest":"${digest}","status":"${status}","receivedAt":"${receivedAt}",` +
    `"late":${late},"warnings":${warnings.length === 0 ? '[]' : JSON.stringify(warnings)},` +
    `"receipt":${receiptText(filing.receipt)}}`
  );
}

function receiptText({ statement, salt, path, leafIndex, treeSize, signature }: Receipt): string {
  const hashes = path.length === 0 ? '[]' : `["${path.join('","')}"]`;
  return (
    `{"statement":${statementText(statement)},"salt":"${salt}","path":${hashes},"leafIndex":${leafIndex},` +
    `"treeSize":${treeSize},"signature":"${signature}"}`
  );
}

/** In the order in which the contract shows its members; what is hashed has an order of its own. */
function statementText(statement: ReceiptStatement): string {
  const { id, office, index, type, version, filer, period, kind, digest, leaf, receivedAt } = statement;
  return (
    `{"iss":${text(statement.iss)},"env":${text(statement.env)},"id":"${id}","office":"${office}",` +
    `"index":${index},"type":${text(type)},"version":${text(version)},"filer":${text(filer)},` +
    `"period":{"from":"${period.from}","to":"${period.to}"}${optional('reference', statement.reference)},"kind":"${kind}"` +
    `${optional('supersedes', statement.supersedes)},"digest":"${digest}","leaf":"${leaf}","receivedAt":"${receivedAt}"}`
  );
}

const text = canonicalString;

function optional(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${text(value)}`;
}
