import { canonicalString } from '../std/canonical.ts';
import { assert } from '../std/errors.ts';
import type { FilingKind, Period } from './filing.ts';

/** What a receipt states. Its member names are the contract's; its bytes on the tree are its RFC 8785 form. */
export interface ReceiptStatement {
  readonly iss: string;
  readonly env: string;
  readonly id: string;
  readonly office: string;
  readonly index: number;
  readonly type: string;
  readonly version: string;
  readonly filer: string;
  readonly period: Period;
  readonly reference?: string | undefined;
  readonly kind: FilingKind;
  readonly supersedes?: string | undefined;
  /** SHA-256 of the payload bytes, base64url. */
  readonly digest: string;
  /** The filing's leaf hash in its office's log, base64url. */
  readonly leaf: string;
  readonly receivedAt: string;
}

/** A receipt as it is served: enough to verify with the gateway's public keys and nothing else. */
export interface Receipt {
  readonly statement: ReceiptStatement;
  /** base64url, 16 bytes: opens the commitment in `statement.leaf`. */
  readonly salt: string;
  /** RFC 6962 inclusion path of the statement in its tick's tree, base64url each. */
  readonly path: readonly string[];
  readonly leafIndex: number;
  readonly treeSize: number;
  /** Compact JWS over {@link TickRoot}. */
  readonly signature: string;
}

/** The payload of a tick's one signature. */
export interface TickRoot {
  readonly root: string;
  readonly treeSize: number;
  readonly at: string;
  readonly iss: string;
}

/** The public face of an entry in an office's log; everything personal is behind `commit`. */
export interface LeafInput {
  readonly v: 1;
  readonly id: string;
  readonly office: string;
  readonly index: number;
  readonly receivedAt: string;
  /** `SHA-256(salt || payload bytes)`, base64url. */
  readonly commit: string;
}

/**
 * The RFC 8785 form of a statement: members in the order of their names. Written out, as it is made for every filing: a third
 * of what `canonicalJson` takes, which has to find and sort the names each time.
 */
export function statementText(s: ReceiptStatement): string {
  return (
    `{"digest":${text(s.digest)},"env":${text(s.env)},"filer":${text(s.filer)},"id":${text(s.id)},` +
    `"index":${number(s.index)},"iss":${text(s.iss)},"kind":${text(s.kind)},"leaf":${text(s.leaf)},` +
    `"office":${text(s.office)},"period":{"from":${text(s.period.from)},"to":${text(s.period.to)}},` +
    `"receivedAt":${text(s.receivedAt)}${optional('reference', s.reference)}${optional('supersedes', s.supersedes)},` +
    `"type":${text(s.type)},"version":${text(s.version)}}`
  );
}

/** The RFC 8785 form of a leaf's input, written out for the same reason. */
export function leafInputText(input: LeafInput): string {
  return (
    `{"commit":${text(input.commit)},"id":${text(input.id)},"index":${number(input.index)},` +
    `"office":${text(input.office)},"receivedAt":${text(input.receivedAt)},"v":${input.v}}`
  );
}

const text = canonicalString;

/** A whole number, as JSON and RFC 8785 write it. */
function number(value: number): string {
  assert(Number.isSafeInteger(value), 'an index is a whole number');
  return String(value);
}

function optional(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":${text(value)}`;
}
