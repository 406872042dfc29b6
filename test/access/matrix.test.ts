import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { ENTRIES } from './entries.ts';
import type { Case, Entry } from './entry.ts';
import { firstDifference, gather, imprint, type Operation, readOperations, request, sent } from './requests.ts';
import { foreignCorrections, foreignFilings } from './signed.ts';
import { type BadTokens, makeBadTokens } from './tokens.ts';
import { CALLERS, type CallerName, makeWorld, NAMES, setStanding, type World } from './world.ts';

// Every operation x every caller x everything it can be asked for x every state of a token. The operations come from the
// gateway's own route table, what is right from entries.ts: one that is not there fails here with its name.

let world: World;
let operations: readonly Operation[];
const tokens = new Map<CallerName, string>();
let bad: BadTokens;

beforeAll(async () => {
  world = await makeWorld();
  operations = await readOperations(world);
  for (const name of NAMES) tokens.set(name, await world.gateway.token(world.parties[name]));
  bad = await makeBadTokens(world);
});
afterAll(async () => {
  await world?.gateway.remove();
});

interface Asked {
  readonly operation: Operation;
  readonly entry: Entry;
  readonly each: Case;
}

/** Everything that can be asked, of the operations that have an entry. */
function everything(): Asked[] {
  return operations.flatMap((operation) => {
    const entry = ENTRIES[operation.operationId];
    return (entry?.cases ?? []).map((each) => ({ operation, entry: entry as Entry, each }));
  });
}

/** What identity, settings, filings and batches consist of. Who was refused has changed nothing of it. */
async function state(): Promise<Record<string, string>> {
  const sql = await world.gateway.sql();
  const tables = [
    'office', 'party', 'party_key', 'registration', 'mandate', 'setting', 'identity_change', 'filing', 'batch', 'consumer',
  ]; // biome-ignore format: one list
  const found: Record<string, string> = {};
  for (const table of tables) {
    const [row] = await sql<{ hash: string }[]>`
      SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS hash FROM ${sql(table)} t`;
    found[table] = row?.hash ?? '';
  }
  return found;
}

async function expectNothingChanged(during: () => Promise<void>): Promise<void> {
  const before = await state();
  await during();
  expect(await state()).toEqual(before);
}

/** What refuses every request that carries this token, whatever it asks for: the same 401. */
async function expectUseless(token: (caller: CallerName) => string): Promise<void> {
  const jobs = everything().flatMap(({ operation, each }) =>
    NAMES.map((name) => async () => {
      const [mine, ...others] = [each.ask, ...(each.nothing ?? [])].map((ask) => ask(world));
      const answer = await request(world, operation, mine as never, token(name));
      const where = `${operation.operationId}, ${each.of}, as ${name}`;
      if (answer.status !== 401) return `${where}: ${answer.status}`;
      for (const other of others) {
        const same = await request(world, operation, other, token(name));
        if (imprint(same) !== imprint(answer)) return `${where}: tells what is there`;
      }
      return undefined;
    }),
  );
  expect(await gather(jobs)).toEqual([]);
}

test('every operation has an entry, which says for whom it is as the route table does', () => {
  const inTable = Object.fromEntries(operations.map(({ operationId, access }) => [operationId, sorted(access)]));
  const inEntries = Object.fromEntries(Object.entries(ENTRIES).map(([id, { access }]) => [id, sorted(access)]));
  const missing = Object.keys(inTable).filter((id) => inEntries[id] === undefined);
  expect(missing, 'operations without an entry in test/access/entries.ts').toEqual([]);
  expect(inEntries).toEqual(inTable);
});

function sorted(access: 'public' | readonly string[]): unknown {
  return access === 'public' ? access : [...access].sort();
}

describe('a token that is not in force is refused on every operation, public ones too', () => {
  const wrong = ['garbage', 'unsigned', 'signedByParty', 'altered', 'elsewhere', 'expired', 'ahead'] as const;
  test.each(wrong)('%s', async (kind) => {
    await expectNothingChanged(() => expectUseless(() => bad.any[kind]));
  });

  test('expired, of each caller', async () => {
    await expectNothingChanged(() => expectUseless((name) => bad.expired[name]));
  });

  test('whose key was revoked since', async () => {
    await expectNothingChanged(() => expectUseless((name) => bad.revoked[name]));
  });

  test('whose party was suspended since; and it is good again when the party is', async () => {
    const callers = NAMES.filter((name) => name !== 'operator');
    const put = async (status: 'active' | 'suspended') => {
      for (const name of callers)
        await setStanding(world.gateway, { id: world.parties[name].id, kind: CALLERS[name] }, status);
    };
    await put('suspended');
    await expectNothingChanged(() =>
      expectUseless((name) => tokens.get(name === 'operator' ? 'otherOperator' : name) as string),
    );
    await put('active');
    for (const name of callers) {
      const limits = operations.find(({ operationId }) => operationId === 'getLimits') as Operation;
      await until(`${name} is active again`, async () => {
        return (await request(world, limits, { path: '/v1/limits' }, tokens.get(name))).status === 200;
      });
    }
  });
});

/** Whether a caller's role may call the operation at all. */
function mayCall({ access }: Entry, name: CallerName): boolean {
  return access === 'public' || access.includes(CALLERS[name]);
}

/** Asks, and asks for nothings: the answers must have the status, and not tell the one from the others. */
async function refusal(
  { operation, each }: Asked,
  who: string,
  token: string | undefined,
  status: number,
): Promise<string | undefined> {
  const where = `${operation.operationId}, ${each.of}, as ${who}`;
  const answer = await request(world, operation, each.ask(world), token);
  if (answer.status !== status) return `${where}: ${answer.status}, not ${status}: ${answer.text.slice(0, 200)}`;
  if (each.secret !== undefined && answer.text.includes(each.secret(world))) return `${where}: tells all`;
  for (const nothing of each.nothing ?? []) {
    const ask = nothing(world);
    const same = await request(world, operation, ask, token);
    if (imprint(same) !== imprint(answer)) return `${where}: ${firstDifference(answer, same)} for ${ask.path}`;
  }
  return undefined;
}

describe('who may not know of a thing gets the same answer as to one that does not exist', () => {
  test('without a token: 401 wherever one is needed', async () => {
    const closed = everything().filter(({ entry }) => entry.access !== 'public');
    await expectNothingChanged(async () => {
      expect(await gather(closed.map((asked) => () => refusal(asked, 'anonymous', undefined, 401)))).toEqual([]);
    });
  });

  test('of a role that it is not for: 403', async () => {
    const jobs = everything().flatMap((asked) =>
      NAMES.filter((name) => !mayCall(asked.entry, name)).map(
        (name) => () => refusal(asked, name, tokens.get(name), 403),
      ),
    );
    await expectNothingChanged(async () => expect(await gather(jobs)).toEqual([]));
  });

  test('whose it is not: 404', async () => {
    const jobs = everything().flatMap((asked) =>
      NAMES.filter((name) => mayCall(asked.entry, name) && !asked.each.known.includes(name)).map(
        (name) => () => refusal(asked, name, tokens.get(name), asked.each.others ?? 404),
      ),
    );
    expect(jobs.length).toBeGreaterThan(300);
    await expectNothingChanged(async () => expect(await gather(jobs)).toEqual([]));
  });
});

describe('what is signed', () => {
  test('counts for whom the signer may file, and tells nobody who is a filer', async () => {
    expect(await gather(foreignFilings(world))).toEqual([]);
  });

  test('names filings of others in vain', async () => {
    expect(await gather(foreignCorrections(world))).toEqual([]);
  });
});

describe('who may', () => {
  test.each(Object.keys(ENTRIES))('%s succeeds', async (operationId) => {
    const operation = operations.find((each) => each.operationId === operationId) as Operation;
    const entry = ENTRIES[operationId] as Entry;
    const wrong: string[] = [];
    for (const each of entry.cases) {
      const callers = each.known.filter((name) => mayCall(entry, name));
      expect(callers.length, each.of).toBeGreaterThan(0);
      for (const name of entry.access === 'public' ? [undefined, ...callers] : callers) {
        const ask = await (each.fresh?.(world, name ?? 'operator') ?? each.ask(world));
        const answer = await request(world, operation, ask, name && tokens.get(name));
        const isGood = answer.status >= 200 && answer.status < 300;
        const shows = each.secret === undefined || answer.text.includes(each.secret(world));
        if (!isGood || !shows) wrong.push(`${each.of}, as ${name}: ${answer.status} ${answer.text.slice(0, 200)}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('thousands of requests were made', () => {
    expect(sent.count).toBeGreaterThan(5_000);
  });
});
