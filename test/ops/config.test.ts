import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/ops/config.ts';
import { StartError } from '../../src/std/start-error.ts';

describe('without any variable', () => {
  test('the gateway listens on this machine only, with a database of its own', () => {
    const config = readConfig({});
    expect(config).toMatchObject({
      port: 8787,
      host: '127.0.0.1',
      issuer: 'http://127.0.0.1:8787',
      workers: 1,
      env: 'sandbox',
      logLevel: 'info',
    });
    expect(config.databaseUrl).toBeUndefined();
    expect(config.dataDir).toBe(path.resolve('.data'));
    expect(config.lanes).toBe(64);
  });

  test('an empty variable counts as absent', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '  ', ISSUER: '' })).toEqual(readConfig({}));
  });
});

describe('the issuer', () => {
  test.each([
    [{ HOST: 'localhost' }, 'http://127.0.0.1:8787'],
    [{ HOST: '0.0.0.0', PORT: '80' }, 'http://127.0.0.1:80'],
    [{ HOST: '::' }, 'http://127.0.0.1:8787'],
    [{ HOST: '::1' }, 'http://[::1]:8787'],
    [{ HOST: 'gateway.example.cn', PORT: '9000' }, 'http://gateway.example.cn:9000'],
    [{ ISSUER: 'https://gateway.example.cn/' }, 'https://gateway.example.cn'],
    [{ ISSUER: 'https://example.cn/shenbao', PORT: '0' }, 'https://example.cn/shenbao'],
  ])('of %j is %s', (environment, issuer) => {
    expect(readConfig(environment).issuer).toBe(issuer);
  });
});

describe('a wrong value is refused with exit code 2, by name', () => {
  const refusal = (environment: Record<string, string>): StartError => {
    try {
      readConfig(environment);
    } catch (error) {
      if (error instanceof StartError) return error;
    }
    throw new Error('was accepted');
  };

  test.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '8787x'],
    ['PORT', '0'],
    ['HOST', 'local host'],
    ['HOST', 'http://x'],
    ['HOST', '127.0.0.1:80'],
    ['DATABASE_URL', 'mysql://user:hunter2@host/db'],
    ['DATABASE_URL', 'postgres://user:hunter2@host'],
    ['DATABASE_URL', 'hunter2'],
    ['ISSUER', 'gateway.example.cn'],
    ['ISSUER', 'ftp://gateway.example.cn'],
    ['ISSUER', 'https://gateway.example.cn/?x=1'],
    ['ISSUER', 'https://user:hunter2@gateway.example.cn'],
    ['WORKERS', '0'],
    ['WORKERS', '1.5'],
    ['SHENBAO_ENV', 'test'],
    ['LOG_LEVEL', 'loud'],
    ['LANES', '0'],
    ['POOL_MAX_FILINGS', 'many'],
    ['POOL_MAX_BYTES', '1'],
    ['RATE_FILER', '0'],
    ['MAX_CONNECTIONS', '1e3'],
  ])('%s=%s', (name, value) => {
    const error = refusal({ [name]: value });
    const named = name === 'PORT' && value === '0' ? 'ISSUER' : name;
    expect(error.exitCode).toBe(2);
    expect(error.text.zh).toContain(`环境变量 ${named} `);
    expect(error.text.en).toContain(`variable ${named} must`);
    expect(error.message).not.toContain('hunter2');
  });

  test('all of them at once', () => {
    const { text } = refusal({ PORT: 'x', WORKERS: 'x', SHENBAO_ENV: 'x' });
    for (const name of ['PORT', 'WORKERS', 'SHENBAO_ENV']) expect(text.en).toContain(name);
    expect(text.en.split('\n')).toHaveLength(3);
  });
});
