import type { Logger } from '../../src/std/telemetry.ts';

const nothing = (): void => {};

export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export interface LogEntry {
  readonly fields: object;
  readonly message: string;
}

/** Keeps what is logged, at whatever level. */
export function recordingLogger(): Logger & { readonly entries: readonly LogEntry[] } {
  const entries: LogEntry[] = [];
  const keep = (fields: object, message: string): void => void entries.push({ fields, message });
  return { entries, debug: keep, info: keep, warn: keep, error: keep };
}
