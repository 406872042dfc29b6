import { readFile } from 'node:fs/promises';
import { type ClientOptions, type Jwk, ShenbaoClient } from '../client/client.ts';
import { sha256 } from '../std/bytes.ts';
import { type Clock, systemClock } from '../std/clock.ts';
import { fileError, UsageError } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** node:crypto's SHA-256, about ten times as fast as the SDK's own. */
export function nodeHash(data: Uint8Array): Uint8Array {
  return sha256(data);
}

/** The options that every command has. */
export interface GlobalOptions {
  readonly gateway: string;
  readonly key?: string;
  /** Seconds to keep trying when the gateway does not answer. */
  readonly wait: number;
}

/** What a command works with. */
export interface CliContext {
  readonly terminal: Terminal;
  readonly global: GlobalOptions;
  readonly clock: Clock;
  /** Aborted by Ctrl-C: commands stop at a place from which they can go on. */
  readonly signal: AbortSignal;
}

/** A client with the key of `--key`, if there is one. */
export async function connect(ctx: CliContext, options: Partial<ClientOptions> = {}): Promise<ShenbaoClient> {
  const { gateway, key, wait } = ctx.global;
  let told = false;
  return new ShenbaoClient({
    gateway,
    ...(key === undefined ? {} : { key: await readKey(key) }),
    language: ctx.terminal.language,
    hash: nodeHash,
    retry: { deadlineMs: wait * 1000, firstMs: 200, longestMs: 5_000 },
    clock: systemClock,
    onRetry: () => {
      if (told) return;
      told = true;
      ctx.terminal.note({ zh: `${gateway} 暂无应答，正在重试……`, en: `${gateway} is not answering; trying again...` });
    },
    ...options,
  });
}

/** The party that `--key` belongs to. Throws a UsageError without a usable key. */
export async function requireKey(ctx: CliContext): Promise<Jwk> {
  const { key } = ctx.global;
  if (key === undefined) {
    throw new UsageError({
      zh: '需要 --key 文件：含 kid、alg、sub 的私钥 JWK（沙箱的演示密钥在 .data/demo/，运维密钥为 .data/operator.jwk）',
      en: 'needs --key FILE: a private JWK with kid, alg and sub (the sandbox’s demo keys are in .data/demo/, the operator’s is .data/operator.jwk)',
    });
  }
  return readKey(key);
}

async function readKey(file: string): Promise<Jwk> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw fileError(file, error);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'kty' in value && 'd' in value) return value as Jwk;
  } catch {
    // Told below, without the content: it may be a key all the same.
  }
  throw new UsageError({ zh: `${file}：不是私钥 JWK`, en: `${file}: not a private JWK` });
}
