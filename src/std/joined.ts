interface Calls<T> {
  readonly current: Promise<T>;
  /** Begins when the current one has ended. */
  next?: Promise<T>;
}

/**
 * `work`, done for one key once at a time. Who asks while it is under way may not be given what it finds, because it may have
 * looked too early; all of them together get what the next one finds.
 */
export function joined<T>(work: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const calls = new Map<string, Calls<T>>();
  const begin = (key: string): Promise<T> => {
    const begun: Calls<T> = { current: work(key) };
    calls.set(key, begun);
    const ended = (): void => {
      if (begun.next === undefined) calls.delete(key);
    };
    begun.current.then(ended, ended);
    return begun.current;
  };
  return (key) => {
    const call = calls.get(key);
    if (call === undefined) return begin(key);
    const next = (): Promise<T> => begin(key);
    call.next ??= call.current.then(next, next);
    return call.next;
  };
}
