import { afterAll, beforeAll, expect, test } from 'vitest';
import { laneOf } from '../../src/domain/filing.ts';
import { freshCheckpoint } from '../../src/log/tree.ts';
import { insertCosignature, readDeliveries } from '../../src/storage/cosignatures.ts';
import { transaction } from '../../src/storage/transaction.ts';
import { createOfficeLogs, type OfficeLogs } from '../log/office-log.ts';

const OFFICE = 'cosigned';
let logs: OfficeLogs;
let lane: number;

beforeAll(async () => {
  logs = await createOfficeLogs();
  lane = laneOf(OFFICE, logs.database.lanes);
  await logs.addOffice(OFFICE);
  for (const _ of [1, 2]) {
    await logs.file(OFFICE, 2);
    await freshCheckpoint(logs.ctx, OFFICE);
  }
  await logs.database.db.sql`
    INSERT INTO consumer (lane, office, name, cursor, leased, acked_at) VALUES (${lane}, ${OFFICE}, 'main', 4, 4, now())`;
});
afterAll(() => logs?.drop());

const cosign = (size: number, line: string) =>
  transaction(logs.database.db.sql, (tx) =>
    insertCosignature(tx, { lane, office: OFFICE }, { size, kid: 'k', line, cosignedAt: Date.now() }),
  );

const shown = async (): Promise<unknown> => {
  const [delivery] = await readDeliveries(logs.database.db.sql, [{ lane, office: OFFICE, index: 0 }]);
  return delivery?.cosigned && [delivery.cosigned.size, delivery.cosigned.line];
};

test('of a checkpoint that was signed anew an older cosignature is not shown: a larger one is, or a new one', async () => {
  expect(await shown()).toBeUndefined();
  await cosign(2, 'first');
  await cosign(2, 'again');
  expect(await shown()).toEqual([2, 'first']);
  // As a recovery does: the same size and root, another note, later.
  await logs.database.db.sql`
    UPDATE cosignature SET cosigned_at = cosigned_at - interval '1 day' WHERE office = ${OFFICE}`;
  expect(await shown()).toBeUndefined();
  await cosign(4, 'larger');
  expect(await shown()).toEqual([4, 'larger']);
  await cosign(2, 'anew');
  expect(await shown()).toEqual([2, 'anew']);
});
