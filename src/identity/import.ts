import { decodeUtf8 } from '../std/bytes.ts';
import { GatewayError, type Violation } from '../std/errors.ts';
import { parseStrictJson } from '../std/json.ts';
import { LineTooLong, type NumberedLine, splitLines } from '../std/lines.ts';
import { classifyFailure } from '../storage/failures.ts';
import { type KeyInput, keyChange } from './add-key.ts';
import { applyChanges, type Change, type IdentityContext } from './change.ts';
import { type MandateInput, mandateChange } from './put-mandate.ts';
import { type OfficeInput, officeChange } from './put-office.ts';
import { type PartyInput, partyChange } from './put-party.ts';
import { type RegistrationsInput, registrationsChange } from './put-registrations.ts';

export const IMPORT_OPS = ['office', 'party', 'key', 'registration', 'mandate'] as const;
export type ImportOp = (typeof IMPORT_OPS)[number];

/** What one line came to. `line` counts from 1, blank lines included, which have no answer. */
export interface ImportAnswer {
  readonly line: number;
  /** Absent where the line names none. */
  readonly op?: ImportOp;
  readonly result: { readonly created: boolean } | GatewayError;
}

export interface ImportContext extends IdentityContext {
  /** Checks a line against the schema of its operation. */
  readonly checks: Readonly<Record<ImportOp, (line: unknown) => readonly Violation[]>>;
}

/** A mandate with all its types has about 3 kB, an RSA key of 4096 bits 1 kB. */
export const MAX_LINE_BYTES = 64 * 1024;
/** A line beyond this is not a line any more: the import ends with it. */
export const MAX_SKIPPED_BYTES = 1024 * 1024;
const MAX_LINES = 500_000;
const JSON_LIMITS = { depth: 6, values: 2_000 };
/** Lines in one transaction. Larger ones gain nothing, and keep other changes to identity waiting. */
const BATCH_LINES = 1_000;

/**
 * Takes offices, parties, keys, registrations and mandates, one JSON object a line, in order. Each line stands for itself: a bad
 * one stops no other. All of it can be sent again: what is there is answered as there. Keys need no proof of possession here, the
 * operator vouches for them.
 */
export async function* importIdentity(
  ctx: ImportContext,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<ImportAnswer[]> {
  let waiting: NumberedLine[] = [];
  try {
    for await (const line of splitLines(body, MAX_SKIPPED_BYTES)) {
      waiting.push(line);
      if (waiting.length < BATCH_LINES) continue;
      yield await importBatch(ctx, waiting);
      waiting = [];
    }
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw error;
    yield await importBatch(ctx, waiting);
    yield [{ line: error.line, result: new GatewayError('too-large', { detail: endless }) }];
    return;
  }
  if (waiting.length > 0) yield await importBatch(ctx, waiting);
}

interface Parsed {
  readonly line: number;
  readonly op?: ImportOp;
  readonly change: Change<unknown> | GatewayError;
}

async function importBatch(ctx: ImportContext, lines: readonly NumberedLine[]): Promise<ImportAnswer[]> {
  const parsed = lines.map((line): Parsed => ({ line: line.number, ...parseLine(ctx, line) }));
  const changes = parsed.flatMap(({ change }) => (change instanceof GatewayError ? [] : [change]));
  const results = changes.length === 0 ? [] : await applyAnyway(ctx, changes);
  let next = 0;
  return parsed.map(({ change, ...which }) => {
    const result = change instanceof GatewayError ? change : results[next++];
    return { ...which, result: result instanceof GatewayError ? result : { created: result?.created === true } };
  });
}

/** A batch that the database was not there for is answered as such, line by line; what else goes wrong is a fault. */
async function applyAnyway(
  ctx: ImportContext,
  changes: readonly Change<unknown>[],
): ReturnType<typeof applyChanges<unknown>> {
  try {
    return await applyChanges(ctx, changes);
  } catch (error) {
    const code = error instanceof GatewayError ? error.code : classifyFailure(error);
    if (code === undefined) throw error;
    return changes.map(() => new GatewayError(code));
  }
}

function parseLine(ctx: ImportContext, { number, bytes }: NumberedLine): Omit<Parsed, 'line'> {
  if (number > MAX_LINES) return { change: new GatewayError('too-large', { detail: tooMany }) };
  if (bytes.length > MAX_LINE_BYTES) return { change: new GatewayError('too-large', { detail: tooLong }) };
  const text = decodeUtf8(bytes);
  const json = text === undefined ? undefined : parseStrictJson(text, JSON_LIMITS);
  if (json?.ok !== true) return { change: new GatewayError('malformed-json') };
  const op = IMPORT_OPS.find((name) => name === (json.value as { op?: unknown } | null)?.op);
  if (op === undefined) return { change: new GatewayError('invalid-resource', { errors: [unknownOp] }) };
  return { op, change: changeOf(ctx, op, json.value) };
}

function changeOf(ctx: ImportContext, op: ImportOp, value: unknown): Change<unknown> | GatewayError {
  const errors = ctx.checks[op](value);
  if (errors.length > 0) return new GatewayError('invalid-resource', { errors });
  try {
    return CHANGES[op](value as never);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

const CHANGES: Readonly<Record<ImportOp, (line: never) => Change<unknown>>> = {
  office: (line: OfficeInput) => officeChange(line),
  party: (line: PartyInput) => partyChange(line),
  key: (line: KeyInput) => keyChange(line),
  registration: (line: Omit<RegistrationsInput, 'pointer'>) =>
    registrationsChange({ ...line, pointer: '/registrations' }),
  mandate: (line: MandateInput) => mandateChange(line),
};

const tooMany = { zh: `一次最多导入${MAX_LINES}行。`, en: `One import has at most ${MAX_LINES} lines.` };
const tooLong = { zh: `一行最多${MAX_LINE_BYTES}字节。`, en: `A line has at most ${MAX_LINE_BYTES} bytes.` };
const endless = {
  zh: `此行超过${MAX_SKIPPED_BYTES}字节，其后各行未导入。`,
  en: `The line has more than ${MAX_SKIPPED_BYTES} bytes; nothing after it was imported.`,
};
const unknownOp: Violation = {
  pointer: '/op',
  code: 'schema',
  severity: 'error',
  message: { zh: `应为${IMPORT_OPS.join('、')}之一`, en: `must be one of ${IMPORT_OPS.join(', ')}` },
};
