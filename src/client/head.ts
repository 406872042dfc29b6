import { parseTreeHead, type TreeHead } from '../log/checkpoint.ts';
import { decodeBase64, encodeBase64url } from '../std/base64.ts';

/** That an operator went on with an older database, as the log's checkpoints record it ever after. */
export interface Recovery {
  /** Entries that the database still had. */
  readonly kept: number;
  /** Entries of the largest tree that was signed before. */
  readonly lost: number;
  /** Its root, base64url. */
  readonly lostRoot: string;
}

export interface RecordedHead extends TreeHead {
  /** Oldest first. */
  readonly recoveries: readonly Recovery[];
}

/** A checkpoint's note text with its extension lines. Undefined when it is none; unknown extensions are passed over. */
export function openHead(text: string): RecordedHead | undefined {
  const head = parseTreeHead(text);
  if (head === undefined) return undefined;
  const recoveries: Recovery[] = [];
  for (const line of text.split('\n').slice(3, -1)) {
    if (!line.startsWith('recovered ')) continue;
    const recovery = parseRecovered(line);
    if (recovery === undefined) return undefined;
    recoveries.push(recovery);
  }
  return { origin: head.origin, size: head.size, root: head.root, recoveries };
}

function parseRecovered(line: string): Recovery | undefined {
  const [, kept, lost, root, ...more] = line.split(' ');
  const sizes = [sizeIn(kept), sizeIn(lost)] as const;
  const bytes = decodeBase64(root ?? '');
  if (more.length > 0 || sizes[0] === undefined || sizes[1] === undefined || bytes?.length !== 32) return undefined;
  return { kept: sizes[0], lost: sizes[1], lostRoot: encodeBase64url(bytes) };
}

/** A size or an index as these formats write it: decimal, without leading zeros, at most 2^53 - 1. */
export function sizeIn(text: string | undefined): number | undefined {
  if (text === undefined || !/^(0|[1-9]\d{0,15})$/.test(text)) return undefined;
  return Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}
