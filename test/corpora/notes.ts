import { type HostileCase, type Known, MARK } from './hostile.ts';

const JSON_TYPE = [['Content-Type', 'application/json']] as const;

const ack =
  (body: (known: Known) => unknown): HostileCase[3] =>
  (known) => ({
    method: 'PUT',
    target: `${known.batch.path}/ack`,
    as: 'psb',
    headers: JSON_TYPE,
    body: JSON.stringify(body(known)),
  });
const cosigned = (line: (known: Known) => unknown): HostileCase[3] =>
  ack((known) => ({ size: known.batch.size, root: known.batch.root, cosignature: line(known) }));
const name = ({ issuer, office }: Known): string => `${issuer.replace(/^https?:\/\//, '')}/offices/${office}/cosigner`;
const blob = (length: number): string => Buffer.alloc(length, 7).toString('base64');
const ours = ({ batch }: Known): string => batch.checkpoint.trimEnd().split('\n').at(-1) ?? '';

/** Roots, and lines of signed notes, as an office may send them when it acknowledges. */
export const HOSTILE_NOTES: readonly HostileCase[] = [
  ['a root of zeros', 422, 'root-mismatch', ack(({ batch }) => ({ size: batch.size, root: 'A'.repeat(43) }))],
  [
    'a root of 42 characters',
    422,
    'invalid-resource',
    ack(({ batch }) => ({ size: batch.size, root: 'A'.repeat(42) })),
  ],
  [
    'a root in base64',
    422,
    'invalid-resource',
    ack(({ batch }) => ({ size: batch.size, root: `${'+/'.repeat(21)}A=` })),
  ],
  ['a root that is a number', 422, 'invalid-resource', ack(({ batch }) => ({ size: batch.size, root: 0 }))],
  ['a size of another batch', 409, 'stale', ack(({ batch }) => ({ size: batch.size + 1, root: batch.root }))],
  ['a size of zero', 422, 'invalid-resource', ack(({ batch }) => ({ size: 0, root: batch.root }))],
  [
    'a size that is a text',
    422,
    'invalid-resource',
    ack(({ batch }) => ({ size: String(batch.size), root: batch.root })),
  ],
  [
    'a size with a fraction',
    422,
    'invalid-resource',
    ack(({ batch }) => ({ size: batch.size + 0.5, root: batch.root })),
  ],
  ['no size', 422, 'invalid-resource', ack(({ batch }) => ({ root: batch.root }))],
  [
    'an unknown member',
    422,
    'invalid-resource',
    ack(({ batch }) => ({ size: batch.size, root: batch.root, [MARK]: 1 })),
  ],
  ['a cosignature that is a word', 422, 'invalid-resource', cosigned(() => MARK)],
  ['an empty cosignature', 422, 'invalid-resource', cosigned(() => '')],
  ['a cosignature that is an object', 422, 'invalid-resource', cosigned(() => ({ line: MARK }))],
  ['a cosignature without its dash', 422, 'invalid-resource', cosigned((known) => `${name(known)} ${blob(76)}`)],
  [
    'a cosignature with a hyphen for the dash',
    422,
    'invalid-resource',
    cosigned((known) => `- ${name(known)} ${blob(76)}`),
  ],
  [
    'a cosignature in the name of another',
    422,
    'invalid-resource',
    cosigned(() => `— elsewhere.example/${MARK} ${blob(76)}`),
  ],
  [
    'a cosignature in the name of the log itself',
    422,
    'invalid-resource',
    cosigned((known) => `— ${name(known).replace('/cosigner', '')} ${blob(76)}`),
  ],
  ['the gateway’s own signature for a cosignature', 422, 'invalid-resource', cosigned(ours)],
  [
    'a cosignature by a key that is not there',
    422,
    'invalid-resource',
    cosigned((known) => `— ${name(known)} ${blob(76)}`),
  ],
  ['a cosignature of 75 bytes', 422, 'invalid-resource', cosigned((known) => `— ${name(known)} ${blob(75)}`)],
  [
    'a cosignature of 68 bytes, without a time',
    422,
    'invalid-resource',
    cosigned((known) => `— ${name(known)} ${blob(68)}`),
  ],
  ['a cosignature that is not base64', 422, 'invalid-resource', cosigned((known) => `— ${name(known)} ${MARK}!`)],
  ['a cosignature in base64url', 422, 'invalid-resource', cosigned((known) => `— ${name(known)} ${'_-'.repeat(50)}`)],
  ['a cosignature with a newline', 422, 'invalid-resource', cosigned((known) => `— ${name(known)} ${blob(76)}\n`)],
  [
    'two cosignatures',
    422,
    'invalid-resource',
    cosigned((known) => `— ${name(known)} ${blob(76)}\n— ${name(known)} ${blob(76)}`),
  ],
  ['a whole note for a cosignature', 422, 'invalid-resource', cosigned(({ batch }) => batch.checkpoint)],
  ['a cosignature of 100 kB', 422, 'invalid-resource', cosigned(() => MARK.repeat(15_000))],
  [
    'a batch that is not there',
    404,
    'not-found',
    ({ batch }) => ({
      method: 'PUT',
      target: `${batch.path.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000')}/ack`,
      as: 'psb',
      headers: JSON_TYPE,
      body: JSON.stringify({ size: batch.size, root: batch.root }),
    }),
  ],
  [
    'a batch whose id is none',
    404,
    'not-found',
    ({ batch }) => ({
      method: 'PUT',
      target: `${batch.path.replace(/[^/]+$/, MARK)}/ack`,
      as: 'psb',
      headers: JSON_TYPE,
      body: JSON.stringify({ size: batch.size, root: batch.root }),
    }),
  ],
];
