import { verify as cryptoVerify, type KeyObject, randomBytes } from 'node:crypto';
import { filingId } from '../domain/filing.ts';
import type { FilingRecord, TickRecord } from '../domain/filing-record.ts';
import {
  leafInputText,
  type Receipt,
  type ReceiptStatement,
  statementText,
  type TickRoot,
} from '../domain/statement.ts';
import { type Hash, type MerkleTree, merkleTree, verifyInclusion } from '../log/merkle.ts';
import { sha256, toBase64url } from '../std/bytes.ts';
import { canonicalJson, type Json } from '../std/canonical.ts';
import { formatInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';

const HASH_BYTES = 32;
const SALT_BYTES = 16;

/** The gateway's own key, as far as receipts need it. */
export interface ReceiptSigner {
  readonly publicKey: KeyObject;
  signCompact(header: { readonly typ: string }, payloadText: string): string;
}

/** Who issues receipts: part of every statement. */
export interface Issuer {
  readonly iss: string;
  readonly env: string;
}

/** SHA-256(salt || payload bytes): says which bytes were filed without saying anything about them. */
export function commitment(salt: Buffer, payload: Uint8Array): Buffer {
  return sha256(Buffer.concat([salt, payload]));
}

/** Random bytes for the next salts: one call for 256 of them. A salt leaves the pool once. */
let salts = Buffer.alloc(0);

export function newSalt(): Buffer {
  if (salts.length === 0) salts = randomBytes(SALT_BYTES * 256);
  const salt = salts.subarray(0, SALT_BYTES);
  salts = salts.subarray(SALT_BYTES);
  return salt;
}

/** The filing's leaf hash in its office's log. */
export function officeLeaf(position: { office: string; index: number; receivedAt: number }, commit: Buffer): Buffer {
  const { office, index } = position;
  const receivedAt = formatInstant(position.receivedAt);
  const text = leafInputText({
    v: 1,
    id: filingId(office, index),
    office,
    index,
    receivedAt,
    commit: toBase64url(commit),
  });
  return leafOfText(text);
}

/** RFC 6962 leaf hash of a text's UTF-8: the prefix byte is a character too, so that nothing is copied. */
function leafOfText(text: string): Buffer {
  return sha256(`\0${text}`);
}

function statementOf(record: FilingRecord, issuer: Issuer): ReceiptStatement {
  return {
    iss: issuer.iss,
    env: issuer.env,
    id: filingId(record.office, record.index),
    office: record.office,
    index: record.index,
    type: record.type,
    version: record.version,
    filer: record.filer,
    period: record.period,
    reference: record.reference,
    kind: record.kind,
    supersedes: record.supersedes,
    digest: toBase64url(record.digest),
    leaf: toBase64url(record.leaf),
    receivedAt: formatInstant(record.receivedAt),
  };
}

/** What a receipt states of a filing, and its leaf hash in the tick's tree. */
export interface StatedLeaf {
  readonly statement: ReceiptStatement;
  readonly leaf: Buffer;
}

export function stateLeaf(record: FilingRecord, issuer: Issuer): StatedLeaf {
  const statement = statementOf(record, issuer);
  return { statement, leaf: leafOfText(statementText(statement)) };
}

/** Signs a tick once for all of its filings. `id` is the tick's row. */
export function signTick(signer: ReceiptSigner, issuer: Issuer, tree: MerkleTree, at: number): string {
  const root: TickRoot = { root: toBase64url(tree.root), treeSize: tree.size, at: formatInstant(at), iss: issuer.iss };
  const signature = signer.signCompact({ typ: 'tick+jws' }, canonicalJson(root as unknown as Json));
  assert(signatureHolds(signature, signer.publicKey), 'the gateway verifies its own tick signature');
  return signature;
}

/** True when a compact Ed25519 JWS of the gateway verifies. */
function signatureHolds(signature: string, key: KeyObject): boolean {
  const end = signature.lastIndexOf('.');
  return cryptoVerify(
    null,
    Buffer.from(signature.slice(0, end)),
    key,
    Buffer.from(signature.slice(end + 1), 'base64url'),
  );
}

/** What a tick's signature says. It was signed by us; it is decoded, not trusted anew. */
function tickRoot(signature: string): TickRoot {
  const payload = signature.slice(signature.indexOf('.') + 1, signature.lastIndexOf('.'));
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as TickRoot;
}

/**
 * SHA-256 that computes each input once. The paths of a tick meet in the same nodes: checking all of them costs one hash a
 * leaf in place of one a level, with the same inputs and outputs compared.
 */
function remembering(): Hash {
  const known = new Map<string, Buffer>();
  return (data) => {
    const input = latin1.call(data);
    let digest = known.get(input);
    if (digest === undefined) {
      digest = sha256(data);
      known.set(input, digest);
    }
    return digest;
  };
}

/** Works on any bytes, without a Buffer made around them. */
const latin1 = Buffer.prototype.latin1Slice as (this: Uint8Array) => string;

/** A tick that has been signed and can make the receipts of its filings. */
export class SignedTick {
  readonly #hash = remembering();
  readonly #tree: MerkleTree;
  readonly #signature: string;
  readonly #issuer: Issuer;
  readonly #root: Buffer;
  readonly #leaves: readonly StatedLeaf[];
  /** Nodes as receipts spell them: the paths of a tick share most of theirs. */
  readonly #spelt = new Map<Uint8Array, string>();

  /** `leaves`: by leaf index, when the statements have just been made; they are made again from the records otherwise. */
  constructor(tree: MerkleTree, signature: string, issuer: Issuer, leaves: readonly StatedLeaf[] = []) {
    this.#tree = tree;
    this.#leaves = leaves;
    this.#signature = signature;
    this.#issuer = issuer;
    this.#root = Buffer.from(tickRoot(signature).root, 'base64url');
  }

  /** From its row. The issuer is the one that the tick was signed with, whatever the gateway's is today. */
  static fromRecord(record: TickRecord, env: string): SignedTick {
    const leaves: Buffer[] = [];
    for (let at = 0; at < record.leaves.length; at += HASH_BYTES)
      leaves.push(record.leaves.subarray(at, at + HASH_BYTES));
    return new SignedTick(merkleTree(sha256, leaves), record.signature, { iss: tickRoot(record.signature).iss, env });
  }

  /**
   * The receipt of one filing: the same bytes whenever it is made, because everything in it is stored. Checks the path of
   * its statement's leaf against the signed root before anyone else can.
   */
  receipt(record: FilingRecord): Receipt {
    const { leafIndex } = record.tick;
    const { statement, leaf } = this.#leaves[leafIndex] ?? stateLeaf(record, this.#issuer);
    const path = this.#tree.path(leafIndex);
    const proof = { leaf, index: leafIndex, size: this.#tree.size, path, root: this.#root };
    assert(verifyInclusion(this.#hash, proof), 'a receipt verifies before it leaves');
    return {
      statement,
      salt: toBase64url(record.salt),
      path: path.map((node) => this.#spell(node)),
      leafIndex,
      treeSize: this.#tree.size,
      signature: this.#signature,
    };
  }

  #spell(node: Uint8Array): string {
    let text = this.#spelt.get(node);
    if (text === undefined) {
      text = toBase64url(node);
      this.#spelt.set(node, text);
    }
    return text;
  }
}
