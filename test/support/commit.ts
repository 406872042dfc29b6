import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { laneOf } from '../../src/domain/filing.ts';
import { filingKey } from '../../src/domain/filing-key.ts';
import type { CheckedFiling, CommitContext } from '../../src/ingest/commit.ts';
import type { ReceiptSigner } from '../../src/ingest/receipt.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { systemClock } from '../../src/std/clock.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import type { TestDatabase } from './database.ts';
import { silentLogger } from './logger.ts';

/** A signer with a key of its own. */
export function testSigner(
  privateKey: KeyObject = generateKeyPair('Ed25519').privateKey,
): ReceiptSigner & { readonly kid: string } {
  const key = createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const kid = 'test-key';
  return {
    kid,
    publicKey: createPublicKey(privateKey),
    signCompact: ({ typ }, payloadText) => {
      const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid, typ })).toString('base64url');
      const input = `${header}.${Buffer.from(payloadText).toString('base64url')}`;
      return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
    },
  };
}

export function commitContext(database: TestDatabase, overrides: Partial<CommitContext> = {}): CommitContext {
  return {
    db: database.db,
    lanes: database.lanes,
    clock: systemClock,
    signer: testSigner(),
    issuer: { iss: 'http://gateway.test', env: 'sandbox' },
    log: silentLogger,
    tickMs: 4_000,
    lookupMs: 2_000,
    ...overrides,
  };
}

/** Heads of offices that nothing else has been said about. */
export async function createOffices(database: TestDatabase, offices: readonly string[]): Promise<void> {
  for (const office of offices) {
    await database.db.sql`
      INSERT INTO office_head (lane, office, size, received_at, txid)
      VALUES (${laneOf(office, database.lanes)}, ${office}, 0, ${new Date(0).toISOString()}, pg_current_xact_id())`;
  }
}

/** A filing as the pipeline hands it to the tick. Unlike any other unless told otherwise. */
export function checkedFiling(overrides: Partial<CheckedFiling> & { readonly text?: string } = {}): CheckedFiling {
  const { text, ...given } = overrides;
  const payload = Buffer.from(text ?? `{"nonce":"${randomBytes(8).toString('hex')}"}`);
  const facts = {
    office: '13501000000',
    type: 'psb.lodging',
    version: '2026-01',
    filer: '91350100M000100Y43',
    period: { from: '2026-10-08', to: '2026-10-08' },
    reference: randomBytes(9).toString('base64url'),
    kind: 'original' as const,
    supersedes: undefined,
    receivedAt: systemClock.now(),
    late: false,
    warnings: [],
    kid: 'k',
    content: payload.toString(),
    urgent: false,
    payload,
    digest: sha256(payload),
    ...given,
  };
  return { ...facts, candidates: given.candidates ?? [facts.office], key: given.key ?? filingKey(facts) };
}
