import path from 'node:path';
import { StartError } from '../std/start-error.ts';
import type { Text } from '../std/text.ts';

const ENVIRONMENTS = ['sandbox', 'production'] as const;
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** Everything that is decided outside the program. Parts get values of it, never the environment. */
export interface Config {
  readonly port: number;
  readonly host: string;
  /** Absent: the embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl?: string;
  /** Absolute. Keys, the embedded database, the signed heads outside the database. */
  readonly dataDir: string;
  /** The public URL, without a slash at its end: `aud` of every filing, `iss` of every receipt. */
  readonly issuer: string;
  readonly workers: number;
  readonly env: (typeof ENVIRONMENTS)[number];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** For a database that is made now; an existing one keeps its own. */
  readonly lanes: number;
  /** What may wait for a commit in one process; beyond it the answer is 503. */
  readonly pool: { readonly maxFilings: number; readonly maxBytes: number };
  /** For each party of a kind: a bucket that holds `burst` and fills by `ratePerSecond`. */
  readonly rates: Readonly<Record<'filer' | 'agent' | 'office' | 'operator', Rate>>;
  /** Open connections in one process; beyond it new ones are closed. */
  readonly maxConnections: number;
  /** Between two checkpoints of the national log. */
  readonly nationalSeconds: number;
}

export interface Rate {
  readonly ratePerSecond: number;
  readonly burst: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration that the environment variables describe. Throws a StartError (exit code 2) that names every
 * variable that is wrong, and does not repeat its value: it may hold a password.
 */
export function readConfig(environment: Environment = process.env): Config {
  const read = new Reader(environment);
  const port = read.integer('PORT', 8787, 0, 65_535);
  const host = read.text('HOST', '127.0.0.1', isHost, {
    zh: '应为主机名或 IP 地址，不含端口',
    en: 'must be a host name or an IP address, without a port',
  });
  const databaseUrl = read.optional('DATABASE_URL', isDatabaseUrl, {
    zh: '应为 postgres://用户:密码@主机:端口/数据库',
    en: 'must be postgres://user:password@host:port/database',
  });
  const config: Config = {
    port,
    host,
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    dataDir: path.resolve(read.text('DATA_DIR', '.data', () => true, { zh: '', en: '' })),
    issuer: readIssuer(read, host, port),
    workers: read.integer('WORKERS', 1, 1, 64),
    env: read.oneOf('SHENBAO_ENV', ENVIRONMENTS, 'sandbox'),
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    lanes: read.integer('LANES', 64, 1, 4096),
    pool: {
      maxFilings: read.integer('POOL_MAX_FILINGS', 4096, 1, 1_000_000),
      maxBytes: read.integer('POOL_MAX_BYTES', 64 * 1024 * 1024, 1024 * 1024, 1024 ** 4),
    },
    rates: {
      filer: readRate(read, 'RATE_FILER', 1_000),
      agent: readRate(read, 'RATE_AGENT', 5_000),
      office: readRate(read, 'RATE_OFFICE', 1_000),
      operator: readRate(read, 'RATE_OPERATOR', 1_000),
    },
    maxConnections: read.integer('MAX_CONNECTIONS', 10_000, 10, 1_000_000),
    nationalSeconds: read.integer('NATIONAL_SECONDS', 60, 1, 60),
  };
  read.finish();
  return config;
}

/** Ten seconds' worth may come at once. */
function readRate(read: Reader, name: string, perSecond: number): Rate {
  const rate = read.integer(name, perSecond, 1, 1_000_000);
  return { ratePerSecond: rate, burst: read.integer(`${name}_BURST`, rate * 10, 1, 10_000_000) };
}

function readIssuer(read: Reader, host: string, port: number): string {
  const given = read.optional('ISSUER', isIssuer, {
    zh: '应为网关对外的 http:// 或 https:// 地址，不含查询串和片段',
    en: 'must be the public http:// or https:// URL of the gateway, without query and fragment',
  });
  if (given !== undefined) return given.replace(/\/$/, '');
  if (port === 0)
    read.refuse('ISSUER', { zh: 'PORT 为 0（任意端口）时必须设置', en: 'must be set when PORT is 0 (any port)' });
  return `http://${urlHost(host)}:${port}`;
}

/** A name that works in a URL on this machine; nobody can call `0.0.0.0`. */
function urlHost(host: string): string {
  if (host === 'localhost' || host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function isHost(text: string): boolean {
  return (
    /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text) ||
    /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(text)
  );
}

function isDatabaseUrl(text: string): boolean {
  const url = parseUrl(text);
  return (
    url !== undefined &&
    (url.protocol === 'postgres:' || url.protocol === 'postgresql:') &&
    url.hostname !== '' &&
    url.pathname.length > 1
  );
}

function isIssuer(text: string): boolean {
  const url = parseUrl(text);
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false;
  return url.search === '' && url.hash === '' && url.username === '' && url.password === '' && !/[?#\s]/.test(text);
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** Reads variables and gathers what is wrong with them. An empty variable counts as absent. */
class Reader {
  readonly #environment: Environment;
  readonly #faults: Text[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  optional(name: string, isValid: (text: string) => boolean, rule: Text): string | undefined {
    const text = this.#environment[name]?.trim();
    if (text === undefined || text === '') return undefined;
    if (!isValid(text)) this.refuse(name, rule);
    return text;
  }

  text(name: string, fallback: string, isValid: (text: string) => boolean, rule: Text): string {
    return this.optional(name, isValid, rule) ?? fallback;
  }

  integer(name: string, fallback: number, least: number, most: number): number {
    const isValid = (text: string): boolean => /^\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most;
    const text = this.optional(name, isValid, {
      zh: `应为 ${least} 到 ${most} 之间的整数`,
      en: `must be a whole number from ${least} to ${most}`,
    });
    return text === undefined ? fallback : Number(text);
  }

  oneOf<T extends string>(name: string, values: readonly T[], fallback: T): T {
    const rule = { zh: `应为 ${values.join('、')} 之一`, en: `must be one of ${values.join(', ')}` };
    const text = this.optional(name, (each) => values.some((value) => value === each), rule);
    return values.find((value) => value === text) ?? fallback;
  }

  refuse(name: string, rule: Text): void {
    this.#faults.push({ zh: `环境变量 ${name} ${rule.zh}。`, en: `The environment variable ${name} ${rule.en}.` });
  }

  finish(): void {
    if (this.#faults.length === 0) return;
    const text = { zh: this.#faults.map(({ zh }) => zh).join('\n'), en: this.#faults.map(({ en }) => en).join('\n') };
    throw new StartError(text, { exitCode: 2 });
  }
}
