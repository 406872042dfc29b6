// Fills a share of a database, in a process of its own: making filings takes as much of a core as storing them.
import { randomBytes } from 'node:crypto';
import { openSigner } from '../src/identity/signer.ts';
import { systemClock } from '../src/std/clock.ts';
import { type DatabaseAddress, openDatabase } from '../src/storage/db.ts';
import { type FillPlan, type FillShare, fillShare } from './fill-share.ts';

export interface FillTask {
  readonly address: DatabaseAddress;
  readonly lanes: number;
  readonly dataDir: string;
  readonly plan: FillPlan;
  readonly share: FillShare;
}

const { address, lanes, dataDir, plan, share } = JSON.parse(process.argv[2] ?? '') as FillTask;

// Its parent was broken off: nobody waits for the rest.
const brokenOff = (): void => process.exit(1);
process.on('disconnect', brokenOff);
const db = openDatabase(address, { connections: 2, statementTimeoutMs: 0 });
try {
  const signer = await openSigner({ db, clock: systemClock, random: randomBytes, dataDir });
  await fillShare({ db, lanes, signer, dataDir }, plan, share, (filings) => process.send?.(filings));
} finally {
  await db.close();
}
process.off('disconnect', brokenOff);
process.disconnect();
