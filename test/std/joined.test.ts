import { expect, test } from 'vitest';
import { joined } from '../../src/std/joined.ts';

/** Work that ends when it is told to. */
function manual() {
  const begun: { readonly key: string; end(result: string): void; fail(): void }[] = [];
  const ask = joined(
    (key) =>
      new Promise<string>((end, reject) => {
        begun.push({ key, end, fail: () => reject(new Error('failed')) });
      }),
  );
  return { ask, begun };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('who asks meanwhile shares what the next call finds, not what the running one does', async () => {
  const { ask, begun } = manual();
  const first = ask('a');
  const later = [ask('a'), ask('a'), ask('a')];
  await settle();
  expect(begun).toHaveLength(1);
  begun[0]?.end('one');
  expect(await first).toBe('one');
  await settle();
  expect(begun).toHaveLength(2);
  const third = ask('a');
  begun[1]?.end('two');
  expect(await Promise.all(later)).toEqual(['two', 'two', 'two']);
  await settle();
  begun[2]?.end('three');
  expect(await third).toBe('three');
  void ask('a');
  expect(begun).toHaveLength(4);
});

test('keys do not wait for one another', () => {
  const { ask, begun } = manual();
  void ask('a');
  void ask('b');
  expect(begun.map(({ key }) => key)).toEqual(['a', 'b']);
});

test('a call that fails fails for those who share it, and the next one is made all the same', async () => {
  const { ask, begun } = manual();
  const first = ask('a');
  const later = [ask('a'), ask('a')];
  begun[0]?.fail();
  await expect(first).rejects.toThrow('failed');
  await settle();
  begun[1]?.fail();
  for (const each of later) await expect(each).rejects.toThrow('failed');
  await settle();
  const last = ask('a');
  begun[2]?.end('well');
  expect(await last).toBe('well');
});
