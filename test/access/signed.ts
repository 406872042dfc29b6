import { lodging, type Payload } from '../support/filer.ts';
import type { Answer } from '../support/wire.ts';
import { firstDifference, imprint } from './requests.ts';
import { type CallerName, NAMES, type World } from './world.ts';

// Public operations know who asks by the signature: what each may sign for whom, and that a refusal tells nothing.

interface Door {
  readonly path: string;
  readonly type: string;
  readonly body: (jws: string) => string;
}

const DOORS: readonly Door[] = [
  { path: '/v1/filings', type: 'application/jose', body: (jws) => jws },
  { path: '/v1/validations', type: 'application/jose', body: (jws) => jws },
  { path: '/v1/filings/bulk', type: 'application/x-ndjson', body: (jws) => `"${jws}"\n` },
];

function send({ gateway, parties }: World, door: Door, signer: CallerName, payload: Payload): Promise<Answer> {
  const body = door.body(parties[signer].filing(gateway.issuer, payload));
  return gateway.ask('POST', door.path, { headers: { 'Content-Type': door.type }, body });
}

/** The code of a problem, in a line of a bulk answer too; `none` for a success. */
function codeOf({ text }: Answer): string {
  return /"code":"([a-z-]+)","retryable"/.exec(text)?.[1] ?? 'none';
}

/** Who may file for the first filer. */
const MAY_FILE: readonly CallerName[] = ['filer', 'agent'];

/** What everybody may sign for the first filer, and that nobody learns from a refusal who is a filer. */
export function foreignFilings(world: World): (() => Promise<string | undefined>)[] {
  return DOORS.flatMap((door) =>
    NAMES.map((signer) => async () => {
      const { filer, otherFiler } = world.parties;
      const where = `${door.path}, signed by ${signer}`;
      const own = await send(world, door, signer, lodging({ filer: filer.id }));
      const code = codeOf(own);
      if (code !== (MAY_FILE.includes(signer) ? 'none' : 'no-mandate')) return `${where}: ${own.status} ${code}`;
      const payload = lodging({ reference: 'T-foreign' });
      const foreign = signer === 'otherFiler' || signer === 'otherAgent' ? filer : otherFiler;
      const answer = await send(world, door, signer, { ...payload, filer: foreign.id });
      if (codeOf(answer) !== 'no-mandate') return `${where} for a stranger: ${answer.status} ${codeOf(answer)}`;
      const nobody = await send(world, door, signer, { ...payload, filer: world.nobody.id });
      return imprint(answer) === imprint(nobody) ? undefined : `${where}: ${firstDifference(answer, nobody)}`;
    }),
  );
}

/** A correction names a filing: one of somebody else is as absent as one that was never there. */
export function foreignCorrections(world: World): (() => Promise<string | undefined>)[] {
  return DOORS.map((door) => async () => {
    const office = world.filings.other.slice(0, world.filings.other.indexOf('.'));
    const payload = lodging({ filer: world.parties.filer.id, kind: 'correction' });
    const [answer, nothing] = [
      await send(world, door, 'filer', { ...payload, supersedes: world.filings.other }),
      await send(world, door, 'filer', { ...payload, supersedes: `${office}.900719925474` }),
    ];
    if (!answer.text.includes('"/supersedes"')) return `${door.path}: ${answer.status} ${answer.text.slice(0, 200)}`;
    return imprint(answer) === imprint(nothing) ? undefined : `${door.path}: ${firstDifference(answer, nothing)}`;
  });
}
