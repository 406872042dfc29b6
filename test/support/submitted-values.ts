import { checkUscc } from '../../src/domain/identifiers.ts';

/** A value that somebody submitted, and the member that it stood in. */
export interface SubmittedValue {
  readonly field: string;
  readonly value: string;
}

/** Every value in a JSON document that must never be printed. With a stack of its own: some documents are 100,000 levels deep. */
export function leavesOf(document: unknown): SubmittedValue[] {
  const leaves: SubmittedValue[] = [];
  const open: { readonly field: string; readonly value: unknown }[] = [{ field: '', value: document }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { field, value } = next;
    if (Array.isArray(value)) {
      for (const item of value) open.push({ field, value: item });
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value))
        open.push({ field: field === '' ? name : `${field}.${name}`.slice(-MAX_FIELD_CHARACTERS), value: member });
    } else if (typeof value === 'string' || typeof value === 'number') {
      const leaf = { field, value: String(value) };
      if (mustStayIn(leaf)) leaves.push(leaf);
    }
  }
  return leaves;
}

/** Of a member's path, the end is what tells it. */
const MAX_FIELD_CHARACTERS = 200;

/** Members that hold ids, codes and times of the protocol: logs may carry these, and have to. */
const ID_MEMBERS = new Set(
  (
    'id client_id filer agent party office region agency type types version kind supersedes kid jti iss sub aud iat exp alg typ kty crv x y n e ' +
    'proof jws jwk root digest size count max lease cursor from to period year op taxpayerKind status notBefore notAfter dueDate off work'
  ).split(' '),
);

/** Shorter ones stand in too many words to mean anything; a Chinese character says as much as two letters. */
const LEAST_CHARACTERS = 6;
const CHINESE = /[一-鿿]/gu;

/** A word that programs use, or some: `check-in`, `resident-id`, `baseFloor`. An enumeration's, not a person's. */
const CODE_WORD = /^[a-z][A-Za-z0-9]*([._-][A-Za-z0-9]+)*$/;
/** A number as round as limits and counts are. */
const ROUND = /^\d{1,2}0+$/;
const DAY = /^\d{4}-\d\d(-\d\d)?$/;

function mustStayIn({ field, value }: SubmittedValue): boolean {
  if (field.split('.').some((name) => ID_MEMBERS.has(name))) return false;
  const width = value.length + (value.match(CHINESE)?.length ?? 0);
  if (width < LEAST_CHARACTERS || value.trim() === '') return false;
  return ![CODE_WORD, ROUND, DAY].some((form) => form.test(value)) && !checkUscc(value).ok;
}
