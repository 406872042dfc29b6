import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { FilingPayload } from '../client/client.ts';
import { parseStrictJson } from '../std/json.ts';
import { splitLines } from '../std/lines.ts';
import type { Text } from '../std/text.ts';
import { fileError, UsageError } from './exit.ts';

const DOCUMENT = /\.(json|jws|jose)$/i;
const LINES = /\.(ndjson|jsonl)$/i;
const LINE_BYTES = 16 * 1024 * 1024;
const JSON_LIMITS = { depth: 64, values: 2_000_000 };

/** A filing as it stands in a file, a line of a file, or standard input. */
export interface SourceDocument {
  /** File, with the line's number for NDJSON. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Files to read, in order, and how much there is of them. */
export interface Sources {
  readonly files: readonly string[];
  /** 0 when unknown (standard input). */
  readonly totalBytes: number;
}

/** `-` is standard input; a folder stands for the documents right in it, by name. */
export async function findSources(inputs: readonly string[]): Promise<Sources> {
  const files: string[] = [];
  let totalBytes = 0;
  for (const input of inputs) {
    if (input === '-') {
      files.push(input);
      continue;
    }
    for (const file of await expand(input)) {
      files.push(file);
      totalBytes += (await stat(file)).size;
    }
  }
  return { files, totalBytes: files.includes('-') ? 0 : totalBytes };
}

async function expand(input: string): Promise<string[]> {
  try {
    if (!(await stat(input)).isDirectory()) return [input];
    const names = (await readdir(input)).filter(
      (name) => !name.startsWith('.') && (DOCUMENT.test(name) || LINES.test(name)),
    );
    return names.sort().map((name) => path.join(input, name));
  } catch (error) {
    throw fileError(input, error);
  }
}

/** The documents of all sources, read as they are asked for. */
export async function* readDocuments(sources: Sources): AsyncGenerator<SourceDocument> {
  for (const file of sources.files) {
    try {
      if (file === '-' || LINES.test(file)) yield* readLines(file);
      else yield { name: file, bytes: await readFile(file) };
    } catch (error) {
      throw error instanceof Error && 'code' in error ? fileError(file, error) : error;
    }
  }
}

async function* readLines(file: string): AsyncGenerator<SourceDocument> {
  const stream = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 256 * 1024 });
  const name = file === '-' ? 'stdin' : file;
  for await (const { number, bytes } of splitLines(stream, LINE_BYTES)) yield { name: `${name}:${number}`, bytes };
}

export type ParsedDocument =
  | { readonly kind: 'payload'; readonly payload: FilingPayload }
  | { readonly kind: 'jws'; readonly content: string }
  | { readonly kind: 'unreadable'; readonly reason: Text };

/** A payload to sign, or a JWS: compact, a compact one as a JSON string, or flattened. */
export function parseDocument(bytes: Uint8Array): ParsedDocument {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    return unreadable('不是 UTF-8 文本', 'not UTF-8 text');
  }
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return { kind: 'jws', content: text };
  // Strictly: a number that a double cannot hold would be signed as another number.
  const parsed = parseStrictJson(text, JSON_LIMITS);
  if (!parsed.ok)
    return unreadable(
      `不是可以签名的 JSON（${parsed.fault.reason}）`,
      `not JSON that can be signed (${parsed.fault.reason})`,
    );
  if (typeof parsed.value === 'string') return { kind: 'jws', content: parsed.value };
  if (typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value)) {
    return unreadable('应是一个 JSON 对象或 JWS', 'should be a JSON object or a JWS');
  }
  if ('protected' in parsed.value) return { kind: 'jws', content: text };
  return { kind: 'payload', payload: parsed.value as FilingPayload };
}

function unreadable(zh: string, en: string): ParsedDocument {
  return { kind: 'unreadable', reason: { zh, en } };
}

/** The one document of a file. */
export async function readDocument(file: string): Promise<ParsedDocument & { readonly bytes: Uint8Array }> {
  const sources = await findSources([file]);
  for await (const { bytes } of readDocuments({ ...sources, files: sources.files.slice(0, 1) })) {
    const parsed = parseDocument(bytes);
    if (parsed.kind !== 'unreadable') return { ...parsed, bytes };
    throw new UsageError({ zh: `${file}：${parsed.reason.zh}`, en: `${file}: ${parsed.reason.en}` });
  }
  throw new UsageError({ zh: `${file}：没有内容`, en: `${file}: nothing in it` });
}
