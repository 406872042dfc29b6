import path from 'node:path';
import type { Agency } from '../domain/filing.ts';
import { makeUscc } from '../domain/identifiers.ts';
import type { Text } from '../std/text.ts';
import { keyChange } from './add-key.ts';
import type { Change } from './change.ts';
import { generatePrivateJwk, type KeyFile, loadOrCreateKeyFile } from './key-files.ts';
import { applyAll, type OwnPartiesContext, recordIfNew, unlessThere } from './own-parties.ts';
import { mandateChange } from './put-mandate.ts';
import { officeChange } from './put-office.ts';
import { partyChange } from './put-party.ts';
import { registrationsChange } from './put-registrations.ts';
import type { PartyKind } from './records.ts';

/** 福州市. Codes are of the shape of the real ones (a digit, the region, four digits), and belong to nobody. */
const REGION = '350100';

export const DEMO_OFFICES: readonly { readonly office: string; readonly agency: Agency; readonly name: Text }[] = [
  { agency: 'tax', office: '13501000000', name: { zh: '福州市税务局（演示）', en: 'Fuzhou Tax Bureau (demo)' } },
  {
    agency: 'si',
    office: '23501000000',
    name: { zh: '福州市社会保险中心（演示）', en: 'Fuzhou Social Insurance Centre (demo)' },
  },
  {
    agency: 'amr',
    office: '33501000000',
    name: { zh: '福州市市场监督管理局（演示）', en: 'Fuzhou Market Regulation Bureau (demo)' },
  },
  {
    agency: 'psb',
    office: '43501000000',
    name: { zh: '福州市公安局（演示）', en: 'Fuzhou Public Security Bureau (demo)' },
  },
  {
    agency: 'city',
    office: '53501000000',
    name: { zh: '福州市城市管理委员会（演示）', en: 'Fuzhou City Management Committee (demo)' },
  },
  {
    agency: 'emg',
    office: '63501000000',
    name: { zh: '福州市应急管理局（演示）', en: 'Fuzhou Emergency Management Bureau (demo)' },
  },
];

/** The usual example of a code. */
export const DEMO_FILER = '91350100M000100Y43';
export const DEMO_AGENT = makeUscc(88_888_888);
const DEMO_MANDATE = 'demo';
const SINCE = '2020-01-01';

/** Where the sandbox puts its private keys. */
export function demoKeyPath(dataDir: string, name: 'filer' | 'agent' | `office-${Agency}`): string {
  return path.join(dataDir, 'demo', `${name}.jwk`);
}

/**
 * What the sandbox starts with: an office of each agency, a filer registered at all of them, an agent with a mandate for the
 * filer, and a private key for each under `DATA_DIR/demo`. Doing it again makes only what is missing.
 */
export async function ensureDemo(ctx: OwnPartiesContext): Promise<readonly KeyFile[]> {
  const changes: Change<unknown>[] = DEMO_OFFICES.map((office) =>
    unlessThere(officeChange({ ...office, region: REGION }), (state) => state.office(office.office) !== undefined),
  );
  const files: KeyFile[] = [];
  const addParty = async (
    id: string,
    kind: PartyKind,
    name: string,
    file: Parameters<typeof demoKeyPath>[1],
  ): Promise<void> => {
    const keyFile = await loadOrCreateKeyFile(
      demoKeyPath(ctx.dataDir, file),
      () => generatePrivateJwk('ES256', id),
      ctx.random,
    );
    files.push(keyFile);
    changes.push(
      unlessThere(
        partyChange({ id, kind, name, ...(kind === 'filer' ? { taxpayerKind: 'general' as const } : {}) }),
        (state) => state.party(id) !== undefined,
      ),
      keyChange({ party: id, jwk: keyFile.publicJwk }),
    );
  };
  for (const { office, agency, name } of DEMO_OFFICES) await addParty(office, 'office', name.zh, `office-${agency}`);
  await addParty(DEMO_FILER, 'filer', '福州示范制造有限公司（演示）', 'filer');
  await addParty(DEMO_AGENT, 'agent', '福州示范财税代理有限公司（演示）', 'agent');
  const registrations = DEMO_OFFICES.map(({ office }) => ({ office, from: SINCE }));
  const types = DEMO_OFFICES.map(({ agency }) => `${agency}.*`);
  changes.push(
    unlessThere(
      registrationsChange({ filer: DEMO_FILER, registrations, pointer: '' }),
      (state) => state.registrations(DEMO_FILER).length > 0,
    ),
    unlessThere(
      mandateChange({ id: DEMO_MANDATE, agent: DEMO_AGENT, filer: DEMO_FILER, types, from: SINCE }),
      (state) => state.mandate(DEMO_MANDATE) !== undefined,
    ),
  );
  await recordIfNew(ctx, 'makeDemoParties', files, () => applyAll(ctx, changes));
  return files;
}
