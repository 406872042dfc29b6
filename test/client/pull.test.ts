import { beforeAll, describe, expect, test } from 'vitest';
import {
  generateKey,
  importSigningKey,
  type PulledBatch,
  type PullState,
  ShenbaoError,
  signManifest,
} from '../../src/client/client.ts';
import { pullBatch } from '../../src/client/pull.ts';
import { sha256 } from '../../src/client/sha256.ts';
import type { Entry } from '../../src/client/types.ts';
import {
  b64u,
  checkpointOver,
  type GatewayKeys,
  gatewayKeys,
  ISSUER,
  type LoggedFiling,
  leafOf,
  logFilings,
  logWith,
  pathOf,
  rootOf,
} from './office-fixture.ts';

const SIZE = 40;
let gateway: GatewayKeys;
let filings: LoggedFiling[];
let checkpoint: string;

beforeAll(async () => {
  gateway = await gatewayKeys();
  filings = await logFilings(SIZE, await generateKey('ES256', '91350100M000100Y43'));
  checkpoint = await checkpointOver(gateway.jwk, leavesTo(SIZE));
});

const leavesTo = (size: number): Buffer[] => filings.slice(0, size).map(({ leaf }) => leaf);
const honest = (): Entry[] => filings.map(({ entry }) => entry);

interface Pulled {
  readonly batch: PulledBatch | undefined;
  readonly indexes: number[];
  readonly saved: PulledBatch[];
  readonly acks: unknown[];
}

async function pull(
  entries: readonly Entry[],
  from: number,
  to: number,
  state?: PullState,
  note = checkpoint,
): Promise<Pulled> {
  const log = logWith(entries, { from, to, checkpoint: note });
  const indexes: number[] = [];
  const saved: PulledBatch[] = [];
  const context = { log, hash: sha256, issuer: async () => ISSUER, jwks: async () => gateway.jwks };
  const batch = await pullBatch(context, 'main', {
    ...(state === undefined ? {} : { state }),
    onEntry: ({ entry }) => {
      indexes.push(entry.index);
    },
    save: (pulled) => {
      // Nothing may be acknowledged before it is saved.
      expect(log.acks).toEqual([]);
      saved.push(pulled);
    },
  });
  return { batch, indexes, saved, acks: log.acks };
}

describe('an honest log', () => {
  test('is pulled whole, saved, and acknowledged with the root of what arrived', async () => {
    const { batch, indexes, saved, acks } = await pull(honest(), 0, SIZE);
    const root = b64u(rootOf(leavesTo(SIZE)));
    expect(batch).toMatchObject({ from: 0, to: SIZE, root });
    expect(indexes).toEqual(filings.map((_, index) => index));
    expect(saved).toEqual([batch]);
    expect(acks).toEqual([['main', 'b1', { size: SIZE, root }]]);
  });

  test('is pulled in batches of every size, each continuing from the last', async () => {
    for (const step of [1, 3, 7, 16]) {
      let state: PullState | undefined;
      for (let from = 0; from < SIZE; from += step) {
        const to = Math.min(SIZE, from + step);
        const { batch, indexes } = await pull(honest(), from, to, state);
        expect(batch?.root).toBe(b64u(rootOf(leavesTo(to))));
        expect(indexes).toHaveLength(to - from);
        state = JSON.parse(JSON.stringify(batch?.state));
      }
      expect(state?.expected).toBeUndefined();
    }
  });

  test('a lost state is computed again from the whole log, and only the batch is handed over', async () => {
    const { batch, indexes } = await pull(honest(), 30, SIZE);
    expect(batch?.root).toBe(b64u(rootOf(leavesTo(SIZE))));
    expect(indexes).toEqual([30, 31, 32, 33, 34, 35, 36, 37, 38, 39]);
  });

  test('a batch that had been saved but not acknowledged is acknowledged without handing it over again', async () => {
    const first = await pull(honest(), 0, 20);
    const again = await pull(honest(), 0, 20, first.batch?.state);
    expect(again.indexes).toEqual([]);
    expect(again.acks).toEqual(first.acks);
    const smaller = await pull(honest(), 0, 10, first.batch?.state);
    expect(smaller.indexes).toEqual([]);
    expect(smaller.batch?.root).toBe(b64u(rootOf(leavesTo(10))));
    expect(smaller.batch?.state).toEqual(first.batch?.state);
    const overlapping = await pull(honest(), 10, 30, first.batch?.state);
    expect(overlapping.indexes).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  });

  test('a few entries are asked for as they are, many as the runtime negotiates, and either as was asked for', async () => {
    const many = await logFilings(101, await generateKey('EdDSA', '91350100M000100Y43'));
    const note = await checkpointOver(
      gateway.jwk,
      many.map(({ leaf }) => leaf),
    );
    const asked: unknown[] = [];
    const read = async (to: number, compressed?: boolean): Promise<void> => {
      const log = logWith(
        many.map(({ entry }) => entry),
        { from: 0, to, checkpoint: note },
      );
      const entryLines: typeof log.entryLines = (from, end, options) => {
        asked.push(options.compressed);
        return log.entryLines(from, end, options);
      };
      const [issuer, jwks] = [async () => ISSUER, async () => gateway.jwks];
      await pullBatch({ log: { ...log, entryLines }, hash: sha256, issuer, jwks }, 'main', {
        compressed,
        save: () => {},
      });
    };
    for (const to of [100, 101]) for (const choice of [undefined, true, false]) await read(to, choice);
    expect(asked).toEqual([false, true, false, undefined, true, false]);
  });

  test('nothing new', async () => {
    const context = {
      log: logWith([], undefined),
      hash: sha256,
      issuer: async () => ISSUER,
      jwks: async () => gateway.jwks,
    };
    expect(await pullBatch(context, 'main', { save: () => expect.unreachable() })).toBeUndefined();
  });
});

describe('a log that was tampered with', () => {
  async function refused(entries: readonly Entry[], note?: string, state?: PullState, from = 0): Promise<string> {
    const seen: { pulled?: Pulled } = {};
    const error: unknown = await pull(entries, from, SIZE, state, note)
      .then((pulled) => {
        seen.pulled = pulled;
      })
      .catch((thrown: unknown) => thrown);
    expect(seen.pulled).toBeUndefined();
    expect(error).toBeInstanceOf(ShenbaoError);
    expect((error as ShenbaoError).code).toBe('verification-failed');
    return (error as ShenbaoError).message;
  }

  const renumbered = (entries: readonly Entry[]): Entry[] =>
    entries.map((entry, index) => ({ ...entry, index, id: entry.id.replace(/\d+$/, String(index)) }));

  test('dropped, at every place', async () => {
    for (let at = 0; at < SIZE; at++) {
      expect(await refused(honest().toSpliced(at, 1))).toMatch(/should come next|missing/);
      await refused(renumbered(honest().toSpliced(at, 1)));
    }
  });

  test('moved, doubled or inserted', async () => {
    for (let at = 0; at + 1 < SIZE; at++) {
      const entries = honest();
      const [one, two] = entries.slice(at, at + 2) as [Entry, Entry];
      await refused(entries.toSpliced(at, 2, two, one));
      await refused(renumbered(entries.toSpliced(at, 2, two, one)));
      await refused(entries.toSpliced(at, 0, one));
      await refused(renumbered(entries.toSpliced(at, 0, one)));
    }
  });

  test('altered in any member', async () => {
    const strangers = await logFilings(SIZE, await generateKey('ES256', 'x'));
    for (const at of [0, 1, 17, SIZE - 1]) {
      const stranger = (strangers[at] as LoggedFiling).entry;
      const entry = honest()[at] as Entry;
      const alterations: Partial<Entry>[] = [
        { receivedAt: '2026-11-02T00:00:00.000Z' },
        { salt: stranger.salt },
        { leaf: stranger.leaf },
        { jws: stranger.jws as string, salt: stranger.salt },
        { id: stranger.id.replace('135', '136') },
        { salt: 'AA' },
        { jws: 'not a jws' },
        { jws: '' },
      ];
      for (const alteration of alterations) await refused(honest().toSpliced(at, 1, { ...entry, ...alteration }));
      // A whole other filing, consistent in itself, under the same id: only the signed root tells.
      const other = { ...strangers[at]?.entry } as Entry;
      if (at > 0) expect(await refused(honest().toSpliced(at, 1, other))).toMatch(/root/);
    }
  });

  test('a history that was rewritten below what was pulled already', async () => {
    const { batch } = await pull(honest(), 0, 20);
    const rewritten = await logFilings(SIZE, await generateKey('ES256', 'x'));
    const note = await checkpointOver(
      gateway.jwk,
      rewritten.map(({ leaf }) => leaf),
    );
    await refused(
      rewritten.map(({ entry }) => entry),
      note,
      batch?.state,
      20,
    );
    // Even one that keeps all from index 20 on.
    const mixed = [...rewritten.slice(0, 20), ...filings.slice(20)];
    const mixedNote = await checkpointOver(
      gateway.jwk,
      mixed.map(({ leaf }) => leaf),
    );
    await refused(
      mixed.map(({ entry }) => entry),
      mixedNote,
      batch?.state,
      20,
    );
  });

  test('a signed root that lies ahead must come out later', async () => {
    const { batch } = await pull(honest(), 0, 20);
    expect(batch?.state.expected?.size).toBe(SIZE);
    const fork = [...filings.slice(0, 30), ...(await logFilings(SIZE, await generateKey('ES256', 'x'))).slice(30)];
    const note = await checkpointOver(
      gateway.jwk,
      fork.map(({ leaf }) => leaf),
    );
    expect(
      await refused(
        fork.map(({ entry }) => entry),
        note,
        batch?.state,
        20,
      ),
    ).toMatch(/root/);
  });

  test('a checkpoint that another key signed, that is too short, or of another log', async () => {
    const leaves = leavesTo(SIZE);
    await refused(honest(), await checkpointOver((await gatewayKeys()).jwk, leaves));
    await refused(honest(), await checkpointOver(gateway.jwk, leaves.slice(0, SIZE - 1)));
    await refused(honest(), await checkpointOver(gateway.jwk, leaves, 'gateway.example/offices/1'));
  });
});

describe('bulk form B', () => {
  test('a line counts only when it stands in the signed manifest', async () => {
    const filer = await generateKey('EdDSA', '91350100M000100Y43');
    const lines = filings.slice(0, 5).map(({ payload }) => payload);
    const manifest = await signManifest(lines, await importSigningKey(filer), ISSUER);
    const leaves = lines.map(leafOf);
    const entries = filings.slice(0, 5).map(
      ({ entry: { jws, ...entry } }, line): Entry => ({
        ...entry,
        payload: b64u(lines[line] as Buffer),
        manifest,
        line,
        path: pathOf(leaves, line).map(b64u),
      }),
    );
    const note = await checkpointOver(gateway.jwk, leavesTo(5));
    expect((await pull(entries, 0, 5, undefined, note)).indexes).toEqual([0, 1, 2, 3, 4]);
    const first = entries[0] as Entry;
    for (const alteration of [{ line: 1 }, { path: [] }, { manifest: 'x' }, { path: entries[1]?.path ?? [] }]) {
      const altered = entries.with(0, { ...first, ...alteration });
      await expect(pull(altered, 0, 5, undefined, note)).rejects.toThrow(/malformed/);
    }
  });
});
