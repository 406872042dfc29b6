import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as jose from 'jose';
import { expect, test } from 'vitest';
import { leafOf, rootOf } from './office-fixture.ts';
import { type Reply, serveReplies } from './support.ts';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
);

/**
 * Imports the built SDK as plain ES modules, as a browser finds them, and says what it found: signatures for jose to
 * verify here, a root over a thousand leaves, a receipt's verdict, and a submission to this very server.
 */
const PAGE = `<!doctype html><script type="module">
import { LogReader, ShenbaoClient, generateKey, importSigningKey, payloadBytes, payloadDigest, publicJwk, sha256, signFiling, verifyReceipt }
  from '/dist/client/client.js';
import { RunningRoot, leafHash } from '/dist/log/merkle.js';
const payload = { type: 'tax.vat.general', filer: '91350100M000100Y43', period: { from: '2026-10-01', to: '2026-10-31' }, kind: 'original', data: { note: '增值税' } };
const results = {};
try {
  results.signed = [];
  for (const alg of ['ES256', 'EdDSA', 'PS256', 'RS256']) {
    const jwk = await generateKey(alg, payload.filer);
    results.signed.push({ alg, jwk: publicJwk(jwk), jws: await signFiling(payload, await importSigningKey(jwk), 'https://gateway.example') });
  }
  results.digest = payloadDigest(payloadBytes(payload));
  const running = new RunningRoot(sha256);
  for (let i = 0; i < 1000; i++) running.push(leafHash(sha256, new TextEncoder().encode('leaf ' + i)));
  results.root = [...running.root()];
  results.refused = (await verifyReceipt({}, { keys: [] })).ok;
  const client = new ShenbaoClient({ gateway: location.origin, issuer: 'https://gateway.example', key: await generateKey('ES256') });
  results.submitted = await client.submit(payload);
  results.bulk = [];
  for await (const answer of client.submitBulk([payload, payload])) results.bulk.push(answer.line);
  results.reader = typeof LogReader;
} catch (error) {
  results.error = String(error && error.stack || error);
}
await fetch('/results', { method: 'POST', body: JSON.stringify(results) });
</script>`;

interface Results {
  readonly error?: string;
  readonly signed: readonly { readonly alg: string; readonly jwk: jose.JWK; readonly jws: string }[];
  readonly digest: string;
  readonly root: readonly number[];
  readonly refused: boolean;
  readonly submitted: unknown;
  readonly bulk: readonly number[];
}

function serveFile(name: string): Reply {
  return (response) => {
    const file = path.join(DIST, name);
    if (!file.startsWith(DIST) || !existsSync(file)) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(file));
  };
}

/** The page's server, which is the SDK's modules, a gateway's two answers, and the place to report to. */
function pageServer(report: (results: Results) => void): Reply {
  return (response, seen) => {
    const answers: Readonly<Record<string, () => void>> = {
      '/': () => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE),
      '/v1/filings': () => response.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"1.0"}'),
      '/v1/filings/bulk': () => {
        response.writeHead(200, { 'content-type': 'application/x-ndjson' });
        response.end('{"line":1,"status":201,"filing":{}}\n{"line":2,"status":200,"filing":{}}\n');
      },
      '/results': () => {
        response.writeHead(204).end();
        report(JSON.parse(seen.body.toString()) as Results);
      },
    };
    const answer = answers[seen.url] ?? (() => serveFile(seen.url.replace(/^\/dist\//, ''))(response, seen));
    answer();
  };
}

if (CHROMIUM === undefined) {
  // Said in words, since a test that did not run must not look like one that passed.
  test('the SDK in a browser: NOT RUN, there is no chromium on this machine', () => expect(CHROMIUM).toBeUndefined());
} else {
  test('the built SDK runs in a browser as it is', async () => {
    expect(existsSync(path.join(DIST, 'client', 'client.js')), 'dist is missing: npm run build').toBe(true);
    const results = await browse(CHROMIUM);
    expect(results.error).toBeUndefined();
    expect(results.signed.map(({ alg }) => alg)).toEqual(['ES256', 'EdDSA', 'PS256', 'RS256']);
    for (const { alg, jwk, jws } of results.signed) {
      const { payload } = await jose.compactVerify(jws, await jose.importJWK(jwk, alg));
      const digest = Buffer.from(await crypto.subtle.digest('SHA-256', payload));
      expect(digest.toString('base64url')).toBe(results.digest);
    }
    const leaf = (i: number): Buffer => leafOf(`leaf ${i}`);
    expect(Buffer.from(results.root)).toEqual(rootOf(Array.from({ length: 1000 }, (_, i) => leaf(i))));
    expect(results.refused).toBe(false);
    expect(results.submitted).toEqual({ filing: { id: '1.0' }, replayed: false });
    expect(results.bulk).toEqual([1, 2]);
  }, 90_000);
}

async function browse(program: string): Promise<Results> {
  const profile = mkdtempSync(path.join(os.tmpdir(), 'shenbao-browser-'));
  let browser: ChildProcess | undefined;
  try {
    return await new Promise<Results>((resolve, reject) => {
      serveReplies(pageServer(resolve))
        .then(({ url }) => {
          const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`];
          browser = spawn(program, [...flags, `${url}/`], { stdio: 'ignore', detached: true });
          browser.on('error', reject);
          browser.on('exit', () => reject(new Error('the browser ended before the page had reported')));
        })
        .catch(reject);
      setTimeout(() => reject(new Error('the page did not report within 80 s')), 80_000).unref();
    });
  } finally {
    browser?.removeAllListeners('exit');
    await endGroup(browser);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Ends the browser with all the processes that it started: they go on writing to the profile otherwise. */
async function endGroup(leader: ChildProcess | undefined): Promise<void> {
  if (leader?.pid === undefined || leader.exitCode !== null) return;
  const ended = new Promise((resolve) => leader.once('exit', resolve));
  process.kill(-leader.pid, 'SIGKILL');
  await ended;
}
