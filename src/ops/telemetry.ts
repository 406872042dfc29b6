import pino from 'pino';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Logger, Metrics } from '../std/telemetry.ts';

/** From a cached lookup to the deadline of a request, in seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Members of an error that may go to the log. Messages may not: those of a database hold the values that were sent. */
const ERROR_MEMBERS = ['name', 'code', 'severity', 'constraint_name', 'syscall'];

/**
 * JSON lines on standard output. An error, at the top or as `err`, `error` or `cause`, is reduced to its name, its
 * codes and where it was thrown.
 */
export function createLogger(level: string): Logger {
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  return {
    debug: (fields, message) => logger.debug(withoutValues(fields), message),
    info: (fields, message) => logger.info(withoutValues(fields), message),
    warn: (fields, message) => logger.warn(withoutValues(fields), message),
    error: (fields, message) => logger.error(withoutValues(fields), message),
  };
}

function withoutValues(fields: object): object {
  if (fields instanceof Error) return { err: describeError(fields) };
  const members: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields))
    members[name] = value instanceof Error ? describeError(value) : value;
  return members;
}

/** An error without its message. */
export function describeError(error: Error, depth = 0): object {
  const description: Record<string, unknown> = {};
  for (const name of ERROR_MEMBERS) {
    const value: unknown = Reflect.get(error, name);
    if (typeof value === 'string') description[name] = value;
  }
  const stack = error.stack ?? '';
  // A message of several lines could pass itself off as frames, so everything up to its end goes.
  const end = stack.indexOf(error.message);
  const calls = end < 0 ? stack : stack.slice(end + error.message.length);
  const frames = calls.split('\n').filter((line) => /^\s+at /.test(line));
  const at = frames.slice(0, 8).map((line) => line.trim());
  if (!(error.cause instanceof Error) || depth >= 3) return { ...description, at };
  return { ...description, at, cause: describeError(error.cause, depth + 1) };
}

export interface Telemetry {
  readonly metrics: Metrics;
  readonly contentType: string;
  /** Prometheus text exposition of this process. */
  exposition(): Promise<string>;
}

/**
 * Metrics in one registry. Names get the prefix `shenbao_`, counters end in `_total`, durations in `_seconds`.
 * A metric has the labels of its first use.
 */
export function createTelemetry(): Telemetry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Lets the primary process of a cluster ask this one for its figures.
  AggregatorRegistry.setRegistries([registry]);
  return {
    metrics: new PromMetrics(registry),
    contentType: registry.contentType,
    exposition: () => registry.metrics(),
  };
}

type Labels = Readonly<Record<string, string>>;
const NO_LABELS: Labels = {};

class PromMetrics implements Metrics {
  readonly #registry: Registry;
  readonly #counters = new Map<string, Counter>();
  readonly #histograms = new Map<string, Histogram>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  count(name: string, labels: Labels = NO_LABELS, by = 1): void {
    let counter = this.#counters.get(name);
    if (counter === undefined) {
      counter = new Counter({ ...this.#options(fullName(name, '_total')), labelNames: Object.keys(labels) });
      this.#counters.set(name, counter);
    }
    if (labels === NO_LABELS) counter.inc(by);
    else counter.inc(labels, by);
  }

  observe(name: string, seconds: number, labels: Labels = NO_LABELS): void {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      const options = this.#options(fullName(name, '_seconds'));
      histogram = new Histogram({ ...options, labelNames: Object.keys(labels), buckets: BUCKETS });
      this.#histograms.set(name, histogram);
    }
    if (labels === NO_LABELS) histogram.observe(seconds);
    else histogram.observe(labels, seconds);
  }

  gauge(name: string, read: () => number): void {
    new Gauge({
      ...this.#options(fullName(name, '')),
      collect() {
        this.set(read());
      },
    });
  }

  #options(name: string): { name: string; help: string; registers: Registry[] } {
    return { name, help: name.replace(/^shenbao_/, '').replaceAll('_', ' '), registers: [this.#registry] };
  }
}

function fullName(name: string, suffix: string): string {
  const prefixed = name.startsWith('shenbao_') ? name : `shenbao_${name}`;
  return prefixed.endsWith(suffix) ? prefixed : prefixed + suffix;
}
