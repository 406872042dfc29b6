import { type HostileCase, MARK } from './hostile.ts';

const filings = (cursor: string) => ({ target: `/v1/filings?cursor=${cursor}`, as: 'filer' as const });
const at = (target: string, as?: 'psb' | 'filer' | 'operator') => ({ target, ...(as === undefined ? {} : { as }) });
const b64 = (text: string): string => Buffer.from(text).toString('base64url');

/** Cursors are the gateway's own words: nothing else is taken for one. */
export const HOSTILE_CURSORS: readonly HostileCase[] = [
  ['a word', 400, 'invalid-parameter', filings(MARK)],
  ['a number', 400, 'invalid-parameter', filings('1')],
  ['an object in base64', 400, 'invalid-parameter', filings(b64('{}'))],
  ['another object in base64', 400, 'invalid-parameter', filings(b64(`{"after":"${MARK}"}`))],
  ['a list in base64', 400, 'invalid-parameter', filings(b64('[1,2,3]'))],
  ['a list of the wrong kinds', 400, 'invalid-parameter', filings(b64('[null,{},[]]'))],
  ['__proto__ in base64', 400, 'invalid-parameter', filings(b64('{"__proto__":{"x":1}}'))],
  ['a statement in base64', 400, 'invalid-parameter', filings(b64(`'; DROP TABLE filing; -- ${MARK}`))],
  ['bytes that are no text', 400, 'invalid-parameter', filings('_____w')],
  ['129 characters', 400, 'invalid-parameter', filings('A'.repeat(129))],
  ['a NUL', 400, 'invalid-parameter', filings('%00')],
  ['a slash', 400, 'invalid-parameter', filings('2026-10-01/x')],
  ['of heads: a word', 400, 'invalid-parameter', at(`/v1/agencies/psb/heads?since=${MARK}`, 'psb')],
  ['of heads: a sign', 400, 'invalid-parameter', at('/v1/agencies/psb/heads?since=-1', 'psb')],
  ['of heads: 20 digits', 400, 'invalid-parameter', at(`/v1/agencies/psb/heads?since=${'9'.repeat(20)}`, 'psb')],
  ['of heads: a fraction', 400, 'invalid-parameter', at('/v1/agencies/psb/heads?since=1.5', 'psb')],
  ['of consumers: a slash', 400, 'invalid-parameter', at(`/v1/offices/43501000000/consumers?cursor=a/${MARK}`, 'psb')],
  [
    'of consumers: 65 characters',
    400,
    'invalid-parameter',
    at(`/v1/offices/43501000000/consumers?cursor=${'a'.repeat(65)}`, 'psb'),
  ],
  [
    'of keys: a dot',
    400,
    'invalid-parameter',
    ({ filer }) => at(`/v1/parties/${filer.id}/keys?cursor=.${MARK}`, 'filer'),
  ],
  [
    'of keys: 44 characters',
    400,
    'invalid-parameter',
    ({ filer }) => at(`/v1/parties/${filer.id}/keys?cursor=${'a'.repeat(44)}`, 'filer'),
  ],
  ['of deadlines: a blank', 400, 'invalid-parameter', at(`/v1/calendar/deadlines?cursor=a%20${MARK}`)],
  ['of deadlines: a NUL', 400, 'invalid-parameter', at('/v1/calendar/deadlines?cursor=%00')],
  ['of the trail: zero', 400, 'invalid-parameter', at('/v1/trail?cursor=0', 'operator')],
  ['of the trail: a word', 400, 'invalid-parameter', at(`/v1/trail?cursor=${MARK}`, 'operator')],
  [
    'of the trail: an export from before the first row',
    400,
    'invalid-parameter',
    at('/v1/trail/export?after=-1', 'operator'),
  ],
  ['of the national log: a sign', 400, 'invalid-parameter', at('/v1/national/entries?from=-1')],
  ['of the national log: a word', 400, 'invalid-parameter', at(`/v1/national/entries?from=${MARK}`)],
];
