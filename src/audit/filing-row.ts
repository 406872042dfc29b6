import { hash } from 'node:crypto';
import { filingId } from '../domain/filing.ts';
import { monthNumber } from '../domain/filing-key.ts';
import { FILING, FILING_KEY } from '../storage/audit-copies.ts';
import type { CopyRow } from '../storage/copy-binary.ts';
import { headerOf, type JwsParts, jsonMembers, jwsParts, type PayloadFacts, payloadFacts } from './content.ts';
import { type FindingKind, finding, type Report } from './findings.ts';
import { FilerKeys, keyFacts } from './signatures.ts';
import { leafText, type StatedFacts, type StatedPlace, statementOf } from './texts.ts';

const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** What a correction says of itself, for who looks at what it replaces. */
export interface ChainLink {
  readonly index: number;
  readonly supersedes: string;
  readonly type: string;
  readonly filer: string;
  readonly from: string;
  readonly to: string;
  readonly reference: string | undefined;
  readonly kind: string;
}

export interface RowContext {
  readonly office: string;
  readonly env: string;
  /** Filers' signatures are checked too: the rows have the columns of the keys. */
  readonly signatures: boolean;
  readonly report: Report;
  readonly onLink: (link: ChainLink) => void;
}

/** What a row is known to have been. `attested`: its tick says so. */
export interface CheckedRow {
  readonly index: number;
  /** NaN when it is damaged. */
  readonly receivedAt: number;
  readonly attested: boolean;
  /** The stored and the computed leaf differ, and nothing tells which of them the log was made from. */
  readonly doubtful: boolean;
}

/** What could be read of a content. */
interface Content {
  /** Of the payload, which stands in the scratch after the salt. Undefined: unreadable. */
  readonly bytes: number | undefined;
  readonly parts: JwsParts | undefined;
  readonly header: string | undefined;
}

/** A row's values as they stand. Texts are compared, so that damaged ones do no harm. */
interface Row {
  readonly id: string;
  readonly facts: StatedFacts;
  readonly place: StatedPlace | undefined;
  readonly tickHash: string;
  readonly digest: string | undefined;
  readonly leaf: string | undefined;
  readonly payload: PayloadFacts | undefined;
  readonly content: Content;
}

/** Checks filings of one office, one after another, each against everything that its own row and its tick say. */
export class FilingRows {
  readonly #ctx: RowContext;
  readonly #keys = new FilerKeys();
  readonly #filers = new Map<string, string>();
  readonly #issuers = new Map<string, string>();
  /** Salt, then payload. */
  #scratch: Buffer = Buffer.alloc(64 * 1024);
  /** The leaf of the row that was checked last: the one that the log was made from, as far as that can be told. */
  readonly leaf: Buffer = Buffer.alloc(HASH_BYTES);

  constructor(ctx: RowContext) {
    this.#ctx = ctx;
  }

  check(source: CopyRow): CheckedRow {
    const index = source.int64(FILING.idx);
    const receivedAt = source.instant(FILING.receivedAt);
    const row = this.#read(source, index, receivedAt);
    const { facts, tickHash } = row;
    const attested = row.place !== undefined && statedHash(row.place, facts) === tickHash;
    const isWhole = attested && row.digest === facts.digest && row.leaf === facts.leaf;
    let doubtful = false;
    if (isWhole) this.leaf.write(facts.leaf, 0, 'base64url');
    else doubtful = this.#diagnose(row, attested, source.isNull(FILING.tickClaims));
    if (isWhole || !attested || row.digest === facts.digest) this.#compare(source, row);
    if (this.#ctx.signatures) this.#checkSignature(source, row, receivedAt);
    if (facts.supersedes !== undefined) {
      const { type, filer, from, to, reference, kind, supersedes } = facts;
      this.#ctx.onLink({ index, supersedes, type, filer, from, to, reference, kind });
    }
    return { index, receivedAt, attested, doubtful };
  }

  #read(source: CopyRow, index: number, receivedAt: number): Row {
    const { office, env } = this.#ctx;
    const content = this.#readContent(source);
    const { bytes } = content;
    const facts = factsOf(source);
    const isDated = !Number.isNaN(receivedAt) && Number.isInteger(receivedAt);
    const iss = this.#issuerOf(source);
    const payload = bytes === undefined ? undefined : this.#scratch.subarray(SALT_BYTES, SALT_BYTES + bytes);
    const commit =
      bytes === undefined ? '' : hash('sha256', this.#scratch.subarray(0, SALT_BYTES + bytes), 'base64url');
    return {
      id: filingId(office, index),
      facts,
      place: iss === undefined || !isDated ? undefined : { iss, env, office, index, receivedAt },
      tickHash: source.string(FILING.tickHash, 'base64url'),
      digest: payload && hash('sha256', payload, 'base64url'),
      leaf: payload && isDated ? hashOf(leafText(office, index, receivedAt, commit)) : undefined,
      payload: payload && payloadFacts(payload.toString('utf8')),
      content,
    };
  }

  /** Leaves salt and payload in the scratch. */
  #readContent(source: CopyRow): Content {
    const salt = source.bytes(FILING.salt);
    salt.copy(this.#scratch, 0, 0, SALT_BYTES);
    if (salt.length !== SALT_BYTES) this.#scratch.fill(0, 0, SALT_BYTES);
    if (!source.isNull(FILING.manifest)) {
      const bytes = source.bytes(FILING.content);
      this.#reserve(bytes.length);
      bytes.copy(this.#scratch, SALT_BYTES);
      return { bytes: bytes.length, parts: undefined, header: source.text(FILING.manifestHeader) };
    }
    const text = source.string(FILING.content, 'utf8');
    const parts = jwsParts(text);
    if (parts === undefined) return { bytes: undefined, parts: undefined, header: undefined };
    this.#reserve(parts.payload.length);
    const bytes = this.#scratch.write(parts.payload, SALT_BYTES, 'base64url');
    return { bytes, parts, header: parts.header };
  }

  #reserve(bytes: number): void {
    if (this.#scratch.length >= SALT_BYTES + bytes) return;
    const larger = Buffer.alloc(2 * (SALT_BYTES + bytes));
    this.#scratch.copy(larger, 0, 0, SALT_BYTES);
    this.#scratch = larger;
  }

  /** The issuer that the tick was signed with; undefined without a tick. Many filings share one. */
  #issuerOf(source: CopyRow): string | undefined {
    if (source.isNull(FILING.tickClaims)) return undefined;
    const claims = source.string(FILING.tickClaims, 'latin1');
    let iss = this.#issuers.get(claims);
    if (iss === undefined) {
      const value = jsonMembers(claims)?.iss;
      iss = typeof value === 'string' ? value : '';
      if (this.#issuers.size >= 4_096) this.#issuers.clear();
      this.#issuers.set(claims, iss);
    }
    return iss;
  }

  /** Something does not fit. The tick, which is signed, tells what is right and what is not. True: nothing can tell. */
  #diagnose(row: Row, attested: boolean, isTickMissing: boolean): boolean {
    const { facts, id, place } = row;
    const mended = attested || place === undefined ? undefined : mendedFacts(row);
    const isMended = mended !== undefined && place !== undefined && statedHash(place, mended) === row.tickHash;
    if (isTickMissing)
      this.#say('tick', id, '回执所在的签名批次不存在', 'the tick that holds its receipt is not there');
    else if (!attested && !isMended)
      this.#say(
        'tick-leaf',
        id,
        '回执内容的哈希不在其批次的位置上',
        'the hash of its statement is not at its place in the tick',
      );
    const isAltered = attested && row.digest !== facts.digest;
    if (row.content.bytes === undefined)
      this.#say('content', id, '内容不是紧凑或展开格式的 JWS', 'the content is no JWS, compact or flattened');
    else if (isAltered)
      this.#say(
        'digest',
        id,
        '内容被改动过：摘要已由签名批次证实',
        'the content was altered: its tick attests the digest',
      );
    else if (row.digest !== facts.digest)
      this.#say('digest', id, '内容的 SHA-256 不是所存的摘要', 'SHA-256 of the payload is not the stored digest');
    if (!isAltered && row.digest !== undefined && row.leaf !== facts.leaf) this.#sayLeaf(id, attested, isMended);
    const isAgreed = row.leaf === facts.leaf || attested || isMended;
    this.leaf.fill(0).write((isMended ? row.leaf : facts.leaf) ?? '', 0, 'base64url');
    return !isAgreed;
  }

  #sayLeaf(id: string, attested: boolean, isMended: boolean): void {
    if (attested)
      this.#say(
        'leaf',
        id,
        '盐被改动过：叶和内容均已由签名批次证实',
        'the salt was altered: its tick attests leaf and content',
      );
    else if (isMended)
      this.#say(
        'leaf',
        id,
        '所存的叶被改动过：由内容得出的叶已由签名批次证实',
        'the stored leaf was altered: its tick attests the computed one',
      );
    else
      this.#say(
        'leaf',
        id,
        '由内容、盐、编号和时间得出的叶与所存的不同',
        'the leaf made of content, salt, index and time is not the stored one',
      );
  }

  /** Payload, key and header against the columns. */
  #compare(source: CopyRow, row: Row): void {
    const { facts, id, payload, content } = row;
    if (payload === undefined) {
      if (content.bytes !== undefined)
        this.#say('content', id, '载荷不是申报的 JSON', 'the payload is not the JSON of a filing');
    } else {
      const wrong = this.#wrongColumns(facts, payload);
      if (wrong.length > 0)
        this.#say(
          'column',
          id,
          `列 ${wrong.join('、')} 与载荷不一致`,
          `columns that differ from the payload: ${wrong.join(', ')}`,
        );
      const stored = source.string(FILING.key, 'hex');
      if (this.#keyOf(facts) !== stored && this.#keyOf(signedFacts(facts, payload)) !== stored)
        this.#say('key', id, '所存的申报键与内容不符', 'the stored filing key is not that of the content');
    }
    if (source.isNull(FILING.manifest)) {
      if (!source.isNull(FILING.manifestLine))
        this.#say('manifest', id, '有清单行号而没有清单', 'it has a line of a manifest but no manifest');
    } else this.#checkManifest(source, row);
    if (content.bytes === undefined || content.header === undefined) return;
    const header = headerOf(content.header);
    if (header === undefined)
      this.#say('content', id, 'JWS 头不是申报的头', 'the protected header is not that of a filing');
    else if (header.kid !== source.string(FILING.kid, 'utf8'))
      this.#say('kid', id, '列 kid 与 JWS 头不一致', 'the column kid differs from the protected header');
  }

  #checkManifest(source: CopyRow, { id, content }: Row): void {
    if (content.header === undefined) {
      this.#say('manifest', id, '所属的批量清单不存在', 'the manifest of its upload is not there');
      return;
    }
    // The commitment is computed: the salt's last byte makes room for the prefix of a leaf.
    this.#scratch[SALT_BYTES - 1] = 0;
    const leaf = hash('sha256', this.#scratch.subarray(SALT_BYTES - 1, SALT_BYTES + (content.bytes ?? 0)), 'base64url');
    if (leaf !== source.string(FILING.manifestHash, 'base64url'))
      this.#say('manifest', id, '该行不在清单的这个位置上', 'the line is not at this place of the manifest');
  }

  #wrongColumns(facts: StatedFacts, payload: PayloadFacts): string[] {
    const wrong: string[] = [];
    if (payload.type !== facts.type) wrong.push('type');
    if (payload.version !== undefined && payload.version !== facts.version) wrong.push('version');
    if (payload.filer !== facts.filer) wrong.push('filer');
    if (payload.from !== facts.from) wrong.push('period_from');
    if (payload.to !== facts.to) wrong.push('period_to');
    if (payload.reference !== facts.reference) wrong.push('reference');
    if (payload.office !== undefined && payload.office !== this.#ctx.office) wrong.push('office');
    if (payload.kind !== facts.kind) wrong.push('kind');
    if (payload.supersedes !== facts.supersedes) wrong.push('supersedes');
    return wrong;
  }

  /** The filing key in hex, as `domain/filing-key.ts` makes it. */
  #keyOf({ filer, type, from, to, reference = '', supersedes = '' }: StatedFacts): string {
    let tag = this.#filers.get(filer);
    if (tag === undefined) {
      tag = hash('sha256', filer, 'hex').slice(0, 12);
      if (this.#filers.size >= 50_000) this.#filers.clear();
      this.#filers.set(filer, tag);
    }
    const tuple = field(filer) + field(type) + field(from) + field(to) + field(reference) + field(supersedes);
    const month = monthNumber(to).toString(16).padStart(4, '0');
    return month + tag + hash('sha256', tuple, 'hex');
  }

  #checkSignature(source: CopyRow, { id, content }: Row, receivedAt: number): void {
    if (content.header === undefined) return;
    const kid = source.string(FILING.kid, 'utf8');
    const key = keyFacts(source, FILING_KEY);
    const fault = this.#keys.fault(kid, key, receivedAt);
    if (fault !== undefined) this.#say('signing-key', id, fault.zh, fault.en);
    // A line of a bulk upload is covered by its manifest, whose signature is checked once.
    if (content.parts === undefined || key === undefined) return;
    const header = headerOf(content.header);
    if (header !== undefined && !this.#keys.isSigned(kid, key, header.alg, content.parts))
      this.#say('signature', id, '签名与登记的密钥不符', 'the signature does not hold under the registered key');
  }

  #say(kind: FindingKind, id: string, zh: string, en: string): void {
    this.#ctx.report(finding(kind, { office: this.#ctx.office, id }, zh, en));
  }
}

function factsOf(source: CopyRow): StatedFacts {
  return {
    type: source.string(FILING.type, 'utf8'),
    version: source.string(FILING.version, 'utf8'),
    filer: source.string(FILING.filer, 'utf8'),
    from: source.date(FILING.from),
    to: source.date(FILING.to),
    reference: source.text(FILING.reference),
    kind: source.string(FILING.kind, 'utf8'),
    supersedes: source.text(FILING.supersedes),
    digest: source.string(FILING.digest, 'base64url'),
    leaf: source.string(FILING.leaf, 'base64url'),
  };
}

/** The facts as the payload has them, and the rest as the columns have it. */
function signedFacts(facts: StatedFacts, payload: PayloadFacts): StatedFacts {
  return {
    ...facts,
    type: String(payload.type),
    filer: String(payload.filer),
    from: String(payload.from),
    to: String(payload.to),
    reference: optional(payload.reference),
    kind: String(payload.kind),
    supersedes: optional(payload.supersedes),
    ...(typeof payload.version === 'string' ? { version: payload.version } : {}),
  };
}

function optional(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** What the row said if only its columns were altered. Undefined when its content cannot be read. */
function mendedFacts({ facts, payload, digest, leaf }: Row): StatedFacts | undefined {
  if (payload === undefined || digest === undefined || leaf === undefined) return undefined;
  return { ...signedFacts(facts, payload), digest, leaf };
}

function field(text: string): string {
  return `${Buffer.byteLength(text)}:${text}`;
}

function statedHash(place: StatedPlace, facts: StatedFacts): string {
  return hashOf(statementOf(place, facts));
}

/** RFC 6962 leaf hash of a text's UTF-8. */
function hashOf(text: string): string {
  return hash('sha256', `\0${text}`, 'base64url');
}
