import { filingId } from '../domain/filing.ts';
import { sha256, toBase64url, writeBase64url } from '../std/bytes.ts';
import { formatInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { CopyRow } from '../storage/copy-binary.ts';
import { ENTRY } from '../storage/feed.ts';
import { leafHash, type MerkleTree, verifyInclusion } from './merkle.ts';

/** What a line has beside its content: names, an index, an office's code, times, hashes. */
const HEAD_BYTES = 256;
const SALT_BYTES = 16;
const LEAF_BYTES = 32;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The upload that a line of bulk form B came in. */
export interface OpenManifest {
  readonly jws: string;
  /** Over the lines of the upload. */
  readonly tree: MerkleTree;
}

/** Written when its manifest is at hand. */
interface BulkLine {
  readonly head: string;
  readonly payload: Buffer;
  readonly manifest: string;
  readonly line: number;
}

/**
 * NDJSON lines of an office's entries. What is a compact JWS, nearly all of them, is put together in one buffer, straight
 * from what the database sent: a third of the processor time of objects and strings for each entry.
 */
export class EntryLines {
  readonly #office: string;
  readonly #pieces: (Buffer | BulkLine)[] = [];
  #buffer: Buffer;
  /** What is written of the buffer, and what of it is in a piece already. */
  #end = 0;
  #taken = 0;
  count = 0;
  /** Of the contents. */
  contentBytes = 0;

  /** `bytes`: about as much as is expected; more is found room for. */
  constructor(office: string, bytes: number) {
    this.#office = office;
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
  }

  add(row: CopyRow): void {
    const size = row.size(ENTRY.content);
    this.#makeRoom(size + HEAD_BYTES);
    this.count++;
    this.contentBytes += size;
    const content = row.bytes(ENTRY.content);
    if (!row.isNull(ENTRY.manifest)) this.#addBulk(row, content);
    else if (content.includes(QUOTE) || content.includes(BACKSLASH)) this.#addText(row, content.toString());
    else {
      this.#writeHead(row);
      this.#write(',"jws":"');
      this.#end = row.copyTo(ENTRY.content, this.#buffer, this.#end);
      this.#write('"}\n');
    }
  }

  /** All lines so far. `open` finds the manifest of a line of bulk form B. */
  async finish(open: (manifest: string) => Promise<OpenManifest>): Promise<Buffer> {
    this.#takePiece();
    const parts: Buffer[] = [];
    for (const piece of this.#pieces)
      parts.push(Buffer.isBuffer(piece) ? piece : Buffer.from(bulkLine(piece, await open(piece.manifest))));
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  #writeHead(row: CopyRow): void {
    const index = row.int64(ENTRY.index);
    this.#write(`{"index":${index},"id":"${filingId(this.#office, index)}","receivedAt":"${receivedAt(row)}","salt":"`);
    const salt = row.bytes(ENTRY.salt);
    const leaf = row.bytes(ENTRY.leaf);
    assert(salt.length === SALT_BYTES && leaf.length === LEAF_BYTES, 'salts and hashes are of one length');
    this.#end = writeBase64url(salt, this.#buffer, this.#end);
    this.#write('","leaf":"');
    this.#end = writeBase64url(leaf, this.#buffer, this.#end);
    this.#buffer[this.#end++] = QUOTE;
  }

  #addText(row: CopyRow, content: string): void {
    this.#writeHead(row);
    const rest = `,"jws":${jwsValue(content)}}\n`;
    this.#makeRoom(Buffer.byteLength(rest));
    this.#end += this.#buffer.write(rest, this.#end);
  }

  #addBulk(row: CopyRow, content: Buffer): void {
    this.#takePiece();
    this.#writeHead(row);
    const head = this.#buffer.toString('latin1', this.#taken, this.#end);
    this.#end = this.#taken;
    const line = row.int32(ENTRY.manifestLine);
    this.#pieces.push({ head, payload: Buffer.from(content), manifest: row.uuid(ENTRY.manifest), line });
  }

  #write(ascii: string): void {
    this.#end += this.#buffer.write(ascii, this.#end, 'latin1');
  }

  #takePiece(): void {
    if (this.#end > this.#taken) this.#pieces.push(this.#buffer.subarray(this.#taken, this.#end));
    this.#taken = this.#end;
  }

  #makeRoom(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    this.#takePiece();
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, this.#buffer.length));
    this.#end = 0;
    this.#taken = 0;
  }
}

function receivedAt(row: CopyRow): string {
  return formatInstant(row.instant(ENTRY.receivedAt));
}

/** A flattened JWS as the object it is, on one line: outside its strings a line break is just space. */
function jwsValue(content: string): string {
  return content.trimStart().startsWith('{') ? content.replace(/[\r\n]+/g, ' ') : JSON.stringify(content);
}

function bulkLine({ head, payload, line }: BulkLine, { jws, tree }: OpenManifest): string {
  const path = tree.path(line);
  const proof = { leaf: leafHash(sha256, payload), index: line, size: tree.size, path, root: tree.root };
  assert(verifyInclusion(sha256, proof), 'the path of a line verifies before it leaves');
  const rest = { payload: toBase64url(payload), manifest: jws, line, path: path.map(toBase64url) };
  return `${head},${JSON.stringify(rest).slice(1)}\n`;
}
