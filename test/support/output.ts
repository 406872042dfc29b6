import { appendFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { leavesOf, type SubmittedValue } from './submitted-values.ts';

/**
 * Where a whole run keeps what its programs print and what was submitted to them, so that the one can be searched for
 * the other at its end: `npm test` names it. Run otherwise, nothing is kept.
 */
const FOLDER = process.env.TEST_OUTPUT_DIR;

/** Adds to what the programs of this worker have printed; `source` names the kind of program. */
export function keepText(source: string, text: string): void {
  if (FOLDER !== undefined) appendFileSync(path.join(FOLDER, `${source}-${process.pid}.out`), text);
}

/** Everything that comes through a stream of a program. */
export function keepOutput(source: string, ...streams: readonly (Readable | null)[]): void {
  if (FOLDER === undefined) return;
  for (const stream of streams) stream?.on('data', (chunk: string | Buffer) => keepText(source, chunk.toString()));
}

/** Longer bodies repeat what shorter ones hold, or are nothing but long. */
const MAX_KEPT_BODY = 1024 * 1024;
const known = new Set<string>();
let isRemembering = FOLDER !== undefined;

/**
 * For the rest of this process. Fuzzing gives members other names, so that it cannot be told which of their values logs
 * may carry; it marks what it makes up, and searches answers and logs for its marks itself.
 */
export function forgetSubmissions(): void {
  isRemembering = false;
}

/** Remembers the values in what is submitted: JSON, or lines of it. What is neither holds none. */
export function keepSubmitted(body: string | Uint8Array): void {
  if (FOLDER === undefined || !isRemembering || body.length > MAX_KEPT_BODY) return;
  const text = typeof body === 'string' ? body : Buffer.from(body).toString();
  const fresh = textsIn(text).flatMap(leavesOf).filter(isFresh);
  if (fresh.length === 0) return;
  const lines = fresh.map((value) => `${JSON.stringify(value)}\n`).join('');
  appendFileSync(path.join(FOLDER, `${process.pid}.submitted`), lines);
}

function isFresh({ value }: SubmittedValue): boolean {
  const size = known.size;
  return known.add(value).size > size;
}

function textsIn(text: string): unknown[] {
  if (!/[[{]/.test(text)) return [];
  const whole = parsed(text);
  return whole === undefined ? text.split('\n').map(parsed) : [whole];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
