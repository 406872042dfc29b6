import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as jose from 'jose';
import { describe, expect, test } from 'vitest';
import { jsonLines, run, start, temporaryFolder } from './support.ts';

const NOBODY = ['--gateway', 'http://127.0.0.1:1', '--wait', '0'];

describe('exit code 2, usage', () => {
  test.each([
    [['submit', '--dry', 'x.json'], /unknown option '--dry'/],
    [['submit', '--paralel', '3', 'x.json'], /Did you mean --parallel/],
    [['nosuch'], /unknown command/],
    [['submit'], /missing required argument/],
    [['pull', 'x', '--max', '0'], /1\.\.10000/],
    [['submit', 'x.json', '--parallel', '1e3'], /1\.\.256/],
    [['status', 'x.0', '--lang', 'fr'], /Allowed choices/],
    [['keygen', '--alg', 'HS256'], /Allowed choices/],
    [['submit', 'no-such-file.json'], /no such file/],
    [['status', 'x.0'], /needs --key/],
    [['status', 'x.0', '--key', 'package.json'], /not a private JWK/],
    [['status', 'x.0', '--gateway', 'nonsense'], /must be a URL/],
    [['verify', 'package.json'], /no receipt/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});

describe('exit code 3, unreachable', () => {
  test('says that nothing is lost; with --json as JSON', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'filing.jws');
    writeFileSync(file, 'aaaa.bbbb.cccc');
    const plain = await run('submit', file, ...NOBODY);
    expect(plain.code).toBe(3);
    expect(plain.stderr).toMatch(/Nothing is known to be lost: run it again/);
    const json = await run('submit', file, '--json', ...NOBODY);
    expect(json.code).toBe(3);
    expect(jsonLines(json)).toMatchObject([{ summary: { complete: false } }, { problem: { code: 'unreachable' } }]);
  });

  test.each([['validate'], ['verify']])('%s', async (command) => {
    const file = path.join(temporaryFolder(), 'value.json');
    writeFileSync(file, '{"statement":{}}');
    expect((await run(command, file, ...NOBODY)).code).toBe(3);
  });
});

describe('help', () => {
  test('is there for the whole and for every command, in the language asked for', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    for (const name of [
      'serve',
      'keygen',
      'sign',
      'validate',
      'submit',
      'status',
      'verify',
      'pull',
      'import',
      'obligations',
    ]) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}`, 'm'));
    }
    for (const name of ['prefill', 'file-zero']) expect(stdout).toMatch(new RegExp(`^ {2}${name}`, 'm'));
    expect(stdout).toMatch(/Exit codes: 0 done/);
    const chinese = await start(['help', 'submit'], { LANG: 'zh_CN.UTF-8' }).result;
    expect(chinese.stdout).toMatch(/用法/);
    expect((await run('help', 'submit', '--lang', 'zh')).stdout).toMatch(/用法/);
  });

  test('version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect((await run('--version')).stdout.trim()).toBe(version);
  });
});

describe('keygen and sign', () => {
  test.each(['ES256', 'EdDSA', 'PS256', 'RS256'])('%s: what it signs jose verifies', async (alg) => {
    const folder = temporaryFolder();
    const key = path.join(folder, 'key.jwk');
    const made = await run('keygen', '--alg', alg, '--sub', '91350100M000100Y43', '--out', key, '--json');
    expect(made.code).toBe(0);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const [{ kid, registration } = {}] = jsonLines(made) as { kid: string; registration: { jwk: jose.JWK } }[];
    expect(registration?.jwk).not.toHaveProperty('d');
    expect(kid).toBe(await jose.calculateJwkThumbprint(registration?.jwk as jose.JWK));

    const file = path.join(folder, 'payload.json');
    writeFileSync(file, '{ "type": "tax.vat.general",\n  "amount": 1 }\n');
    const signed = await run('sign', file, '--key', key, '--issuer', 'https://gateway.example');
    expect(signed.code).toBe(0);
    const publicKey = await jose.importJWK(registration?.jwk as jose.JWK, alg);
    const { payload, protectedHeader } = await jose.compactVerify(signed.stdout, publicKey);
    expect(Buffer.from(payload).toString()).toBe('{"type":"tax.vat.general","amount":1}');
    expect(protectedHeader).toMatchObject({ alg, kid, typ: 'filing+jws', aud: 'https://gateway.example' });
  });

  test('a key is never overwritten by accident', async () => {
    const key = path.join(temporaryFolder(), 'key.jwk');
    await run('keygen', '--out', key);
    const before = readFileSync(key, 'utf8');
    const again = await run('keygen', '--out', key);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/--force/) });
    expect(readFileSync(key, 'utf8')).toBe(before);
    expect((await run('keygen', '--out', key, '--force')).code).toBe(0);
  });

  test('a number that signing would alter is not signed', async () => {
    const folder = temporaryFolder();
    const key = path.join(folder, 'key.jwk');
    const file = path.join(folder, 'payload.json');
    await run('keygen', '--out', key);
    for (const text of ['{"a":9007199254740993}', '{"a":1,"a":2}', '{"a":1e400}', '{"a":', '[1]', '"\\ud800"']) {
      writeFileSync(file, text);
      expect((await run('sign', file, '--key', key, '--issuer', 'x')).code).toBe(2);
    }
  });
});
