/** Structured logging. Fields carry ids and codes, never payloads, names or numbers of persons. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Counters and histograms by name. Label values come from closed sets only. */
export interface Metrics {
  count(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  observe(name: string, seconds: number, labels?: Readonly<Record<string, string>>): void;
  /** Reads a gauge when it is scraped. */
  gauge(name: string, read: () => number): void;
}

/** A source of bytes that nobody can guess. */
export type RandomBytes = (length: number) => Buffer;
