import { randomInt, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { SignatureAlgorithm } from '../../src/identity/records.ts';
import { readBatch, SignatureBatch, type SignatureTask } from '../../src/ingest/signature-batch.ts';
import { SignatureThread } from '../../src/ingest/signatures.ts';
import { generateKeyPair, type KeyPair } from '../../src/std/key-pair.ts';

const BUILT = new URL('../../dist/ingest/signatures.js', import.meta.url);

const PAIRS: Record<SignatureAlgorithm, KeyPair> = {
  ES256: generateKeyPair('P-256'),
  EdDSA: generateKeyPair('Ed25519'),
  PS256: generateKeyPair({ rsaBits: 4096 }),
  RS256: generateKeyPair({ rsaBits: 2048 }),
};
const ALGORITHMS = Object.keys(PAIRS) as SignatureAlgorithm[];

function signature(alg: SignatureAlgorithm, input: string): Buffer {
  const key = PAIRS[alg].privateKey;
  const data = Buffer.from(input);
  if (alg === 'EdDSA') return sign(null, data, key);
  if (alg === 'ES256') return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
  return sign('sha256', data, alg === 'PS256' ? { key, padding: 6, saltLength: 32 } : { key });
}

function taskOf(alg: SignatureAlgorithm, length: number): SignatureTask {
  const signingInput = `${randomInt(1e9)}.`.padEnd(length, 'x');
  const jwk = JSON.stringify(PAIRS[alg].publicKey.export({ format: 'jwk' }));
  return { alg, jwk, signingInput, signature: signature(alg, signingInput) };
}

/** The same with one bit of the signature, of what is signed, or of nothing changed. */
function damaged(task: SignatureTask, how: number): SignatureTask {
  if (how === 1) {
    const other = Buffer.from(task.signature);
    other.writeUInt8(other.readUInt8(40) ^ 1, 40);
    return { ...task, signature: other };
  }
  if (how === 2) return { ...task, signingInput: `${task.signingInput.slice(0, -1)}y` };
  if (how === 3) return { ...task, signature: task.signature.subarray(1) };
  return task;
}

describe('the thread that checks signatures', () => {
  const thread = new SignatureThread(BUILT);
  afterAll(() => thread.close());

  it('gives each of many its own verdict, whatever batch it was in', async () => {
    const tasks = Array.from({ length: 600 }, (_, i) => ({
      how: i % 5,
      task: damaged(taskOf(ALGORITHMS[randomInt(4)] as SignatureAlgorithm, 20 + randomInt(3_000)), i % 5),
    }));
    const verdicts = await Promise.all(tasks.map(({ task }) => thread.hold(task)));
    expect(verdicts).toEqual(tasks.map(({ how }) => how === 0 || how === 4));
  });

  it('takes what is larger than a batch', async () => {
    const large = taskOf('ES256', 12 * 1024 * 1024);
    const verdicts = await Promise.all([
      thread.hold(taskOf('EdDSA', 100)),
      thread.hold(large),
      thread.hold(damaged(large, 2)),
      thread.hold(taskOf('RS256', 100)),
    ]);
    expect(verdicts).toEqual([true, true, false, true]);
  });

  it('refuses those under way when it is closed', async () => {
    const closing = new SignatureThread(BUILT);
    const held = Promise.allSettled(Array.from({ length: 300 }, () => closing.hold(taskOf('ES256', 1_000))));
    await closing.close();
    const outcomes = await held;
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  });

  it('fails those under way when the thread ends, and starts another for the next', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'signatures-'));
    try {
      const program = path.join(folder, 'program.mjs');
      await writeFile(program, "throw new Error('broken thread');");
      const broken = new SignatureThread(pathToFileURL(program));
      const task = taskOf('ES256', 100);
      const [first, second] = await Promise.allSettled([broken.hold(task), broken.hold(task)]);
      expect([first.status, second.status]).toEqual(['rejected', 'rejected']);
      expect((first as PromiseRejectedResult).reason).toMatchObject({ cause: { message: 'broken thread' } });
      await writeFile(program, `import ${JSON.stringify(BUILT.href)};`);
      expect(await broken.hold(task)).toBe(true);
      await broken.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('a batch of signatures', () => {
  it('reads back as it was written, up to its bounds', () => {
    const tasks = Array.from({ length: 200 }, (_, i) => taskOf(ALGORITHMS[i % 4] as SignatureAlgorithm, 10 + i * 40));
    const [first, ...others] = tasks as [SignatureTask, ...SignatureTask[]];
    const batch = new SignatureBatch(first, new ArrayBuffer(64 * 1024));
    const written = [first, ...others.filter((task) => batch.add(task))];
    expect(batch.count).toBe(written.length);
    expect(batch.count).toBeLessThan(tasks.length);
    const read = [...readBatch(batch.buffer, batch.count)];
    expect(read.map((task) => ({ ...task, signingInput: task.signingInput.toString() }))).toEqual(
      written.map((task) => ({ ...task, signature: expect.any(Buffer) })),
    );
    for (const [i, task] of read.entries()) expect(task.signature.equals(written[i]?.signature as Buffer)).toBe(true);
  });
});
