/**
 * Results of `work` over `items`, as they come, with at most `limit` running and read ahead. The first error stops the
 * reading, lets what runs come to its end, and is thrown.
 */
export async function* mapConcurrent<T, R>(
  items: AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running = new Map<number, Promise<{ readonly id: number; readonly result: R }>>();
  const iterator = items[Symbol.asyncIterator]();
  let next = 0;
  let isDone = false;
  try {
    while (!isDone || running.size > 0) {
      while (!isDone && running.size < limit) {
        const item = await iterator.next();
        if (item.done === true) {
          isDone = true;
        } else {
          const id = next++;
          running.set(
            id,
            work(item.value).then((result) => ({ id, result })),
          );
        }
      }
      if (running.size === 0) return;
      const { id, result } = await Promise.race(running.values());
      running.delete(id);
      yield result;
    }
  } finally {
    await Promise.allSettled(running.values());
    await iterator.return?.();
  }
}
