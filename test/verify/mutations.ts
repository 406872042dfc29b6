import canonicalize from 'canonicalize';
import type { Jwk, Jwks } from '../../src/client/client.ts';
import { b64u, hash, leafOf } from '../client/office-fixture.ts';
import type { SigningParty } from '../support/filer.ts';
import { base64, bytesOf, type Case, type CaseOf, type Dice } from './cases.ts';
import { crafted } from './crafted.ts';
import type { Original, Originals } from './originals.ts';
import { mutateCheckpoint, mutateConsistency, mutateNational, mutateProof } from './proof-mutations.ts';

type Members = Record<string, unknown>;
type Open = Members & { statement: Members; path: string[]; leafIndex: number; treeSize: number };

const originOf = ({ issuer, office }: Originals): string => `${issuer.replace('http://', '')}/offices/${office}`;

/** Everything that the gateway handed out, as it was. */
export function untouched(all: Originals): Case[] {
  const { jwks, office } = all;
  const origin = originOf(all);
  const receipts = all.filings.flatMap(({ receipt, compact, payload }): Case[] => {
    const common = { kind: 'receipt', jwks, payload: base64(payload), issuer: all.issuer } as const;
    const signed: Case[] = compact === undefined ? [] : [{ ...common, receipt: base64(compact) }];
    return [{ ...common, receipt: base64(receipt) }, ...signed];
  });
  return [
    ...receipts,
    ...all.checkpoints.map((note): Case => ({ kind: 'checkpoint', jwks, origin, note: base64(note) })),
    ...all.proofs.map(
      ({ index, leaf, proof }): Case => ({ kind: 'proof', jwks, origin, index, leaf, proof: base64(proof) }),
    ),
    ...all.growths.map((growth): Case => ({ kind: 'consistency', ...growth })),
    ...all.entries.map(
      (entry, index): Case => ({ kind: 'entry', jwks: keysAt(all, index), office, index, entry: base64(entry) }),
    ),
    ...crafted(all),
  ];
}

/** The keys of whoever filed entry `index`. */
function keysAt({ filings }: Originals, index: number): Jwks {
  return (filings.find((filing) => filing.index === index) as Original).filerKeys;
}

const isKind = <K extends Case['kind']>(kind: K) => (value: Case): value is CaseOf<K> => value.kind === kind; // biome-ignore format: one line

/** A maker of changed cases of each kind, from the untouched ones. */
export function mutators(
  all: Originals,
  cases: readonly Case[],
  dice: Dice,
  stranger: Jwk,
): Record<Case['kind'], () => Case> {
  const pick = <K extends Case['kind']>(kind: K): (() => CaseOf<K>) => {
    const some = cases.filter(isKind(kind));
    return () => dice.of(some);
  };
  const [receipt, content, entry] = [pick('receipt'), pick('content'), pick('entry')];
  const [checkpoint, proof] = [pick('checkpoint'), pick('proof')];
  const [national, consistency] = [pick('national'), pick('consistency')];
  return {
    receipt: () => mutateReceipt(dice, receipt(), receipt(), stranger),
    content: () => mutateContent(dice, content(), content(), stranger),
    checkpoint: () => mutateCheckpoint(dice, checkpoint(), checkpoint(), stranger),
    proof: () => mutateProof(dice, proof(), proof(), stranger),
    national: () => mutateNational(dice, national(), national(), stranger),
    consistency: () => mutateConsistency(dice, consistency(), consistency()),
    entry: () => mutateEntry(dice, entry(), all.entries, stranger),
  };
}

const STATEMENT = 'iss env id office index type version filer period reference kind digest leaf receivedAt'.split(' ');

function mutateReceipt(dice: Dice, value: CaseOf<'receipt'>, other: CaseOf<'receipt'>, stranger: Jwk): Case {
  const general: (() => Case)[] = [
    () => ({ ...value, receipt: dice.flip(value.receipt) }),
    () => ({ ...value, payload: dice.flip(value.payload as string) }),
    () => ({ ...value, payload: other.payload as string }),
    () => ({ ...value, jwks: dice.rekey(value.jwks, stranger) }),
    () => ({ ...value, issuer: dice.of(['https://gateway.example', value.issuer as string]) }),
  ];
  const [text, otherText] = [value, other].map((one) => bytesOf(one.receipt).toString()) as [string, string];
  if (!text.startsWith('{') || !otherText.startsWith('{')) return dice.of(general)();
  const [open, theirs] = [text, otherText].map((one) => JSON.parse(one)) as [Open, Open];
  const changed = (members: object): Case => ({ ...value, receipt: base64(JSON.stringify({ ...open, ...members })) });
  const member = dice.of(STATEMENT);
  const specific: (() => Case)[] = [
    () => changed({ path: dice.disorder(open.path, theirs.path) }),
    () => changed({ leafIndex: dice.of([open.leafIndex + 1, open.leafIndex - 1, theirs.leafIndex, 2 ** 53, 0.5]) }),
    () => changed({ treeSize: dice.of([open.treeSize + 1, open.treeSize - 1, theirs.treeSize, 0, -1]) }),
    () => changed({ salt: theirs.salt }),
    () => changed({ signature: theirs.signature }),
    () => changed({ statement: theirs.statement }),
    () => changed({ statement: { ...open.statement, [member]: theirs.statement[member] } }),
    () => changed({ statement: { ...open.statement, [member]: undefined } }),
    () => changed({ statement: { ...open.statement, more: dice.of([1, null, '\ud800', {}]) } }),
    () => changed({ [dice.of(['more', 'salt', 'path', 'statement'])]: dice.of([undefined, null, 1, '', [], ['']]) }),
    () => ({ ...value, receipt: base64(respelt(dice, open, text)) }),
  ];
  return dice.of([...general, general[0] as () => Case, general[0] as () => Case, ...specific, ...specific])();
}

/** The same receipt in another spelling of JSON, or nearly. */
function respelt(dice: Dice, open: Open, text: string): string {
  const statement = Object.fromEntries(Object.entries(open.statement).reverse());
  return dice.of([
    () => JSON.stringify(open, undefined, 2),
    () => `\n ${text}\t`,
    () => JSON.stringify({ ...open, statement }),
    () => text.replaceAll('/', '\\/').replace('"salt"', '"\\u0073alt"'),
    () => text.replace(/"leafIndex":(\d+)/, '"leafIndex":$1.0').replace(/"treeSize":(\d+)/, '"treeSize":$1e0'),
    () => text.replace(/"index":(\d+)/, '"index":$10E-1'),
    () => text.replace(/"index":(\d+)/, '"index":0$1'),
    () => text.replace('"salt"', '"salt":"AAAA","salt"'),
    () => `\ufeff${text}`,
    () => `${text}}`,
  ])();
}

function mutateContent(dice: Dice, value: CaseOf<'content'>, other: CaseOf<'content'>, stranger: Jwk): Case {
  const text = bytesOf(value.content).toString();
  const general: (() => Case)[] = [
    () => ({ ...value, content: dice.flip(value.content) }),
    () => ({ ...value, content: dice.flip(value.content) }),
    () => ({ ...value, jwks: dice.rekey(value.jwks as Jwks, stranger) }),
    () => ({ ...value, receipt: dice.flip(value.receipt ?? other.receipt ?? base64('none')) }),
    () => ({ ...value, ...(other.receipt === undefined ? {} : { receipt: other.receipt }) }),
    () => ({ ...value, content: other.content }),
  ];
  if (!text.startsWith('{')) return dice.of(general)();
  const open = JSON.parse(text) as Members & { path?: string[] };
  const theirs = JSON.parse(
    bytesOf(other.content)
      .toString()
      .replace(/^[^{].*/s, '{}'),
  ) as Members;
  const changed = (members: object): Case => ({ ...value, content: base64(JSON.stringify({ ...open, ...members })) });
  return dice.of<() => Case>([
    ...general,
    () =>
      changed({
        [dice.of(['payload', 'manifest', 'line', 'path', 'signature'])]: dice.of([undefined, null, 1, '', []]),
      }),
    () => changed({ path: dice.disorder(open.path ?? [], (theirs.path as string[] | undefined) ?? []) }),
    () => changed({ payload: theirs.payload }),
    () => changed({ line: dice.of([theirs.line, -1, 0.5, 200, '0']) }),
    () => changed({ more: 1 }),
  ])();
}

function mutateEntry(dice: Dice, value: CaseOf<'entry'>, entries: readonly Buffer[], stranger: Jwk): Case {
  const open = JSON.parse(bytesOf(value.entry).toString()) as Members & { path?: string[]; line?: number };
  const theirs = JSON.parse(dice.of(entries).toString()) as typeof open;
  const changed = (members: object): Case => ({ ...value, entry: base64(JSON.stringify({ ...open, ...members })) });
  const name = dice.of(Object.keys(theirs));
  return dice.of<() => Case>([
    () => ({ ...value, entry: dice.flip(value.entry) }),
    () => ({ ...value, entry: dice.flip(value.entry) }),
    () => ({ ...value, index: value.index + dice.of([1, 2, 3]) }),
    () => ({ ...value, jwks: dice.rekey(value.jwks, stranger) }),
    () => changed({ [name]: theirs[name] }),
    () => changed({ path: dice.disorder(open.path ?? [], theirs.path ?? []) }),
    () => changed({ line: dice.of([(open.line ?? 0) + 1, theirs.line, 200, -1]) }),
    () => changed({ salt: theirs.salt, leaf: theirs.leaf }),
  ])();
}

/** Receipts that a lying gateway signed, whose hashes and signature therefore hold: only what they say can be wrong. */
export function forged(all: Originals, forger: SigningParty): CaseOf<'receipt'>[] {
  const { receipt, payload } = all.filings[0] as Original;
  const open = JSON.parse(receipt.toString()) as Open;
  const changes: Members[] = [
    {},
    { id: `${all.office}.7777` },
    { index: -1, id: `${all.office}.-1` },
    { more: [0.1, 1e21, 1e-7, 123456789012345680000, -0.5, true, null, { b: 1, a: '\u2028' }] },
    { more: 5e-324, é: 1, '\u{1f600}': 2, '\ufb33': 3 },
    { leaf: 'A'.repeat(43) },
    { digest: 'A'.repeat(43) },
    ...['type', 'filer', 'kind', 'version', 'reference', 'supersedes'].map((name) => ({ [name]: 'x' })),
    { period: { to: '2026-01-01', from: '2026-01-01' } },
    { reference: undefined },
    { office: '13501000000', id: `13501000000.${open.statement.index}` },
    { iss: 'https://gateway.example' },
  ];
  return changes.map((change) => {
    const statement = JSON.parse(JSON.stringify({ ...open.statement, ...change })) as Members;
    const root = b64u(leafOf(canonicalize(statement) as string));
    const text = canonicalize({ root, treeSize: 1, at: '2026-11-22T00:00:00.000Z', iss: all.issuer }) as string;
    const signature = forger.jws(text, { typ: 'tick+jws' });
    const lie = { ...open, statement, path: [], leafIndex: 0, treeSize: 1, signature };
    const jwks = { keys: [forger.publicJwk as unknown as Jwk] };
    return { kind: 'receipt', jwks, receipt: base64(JSON.stringify(lie)), payload: base64(payload) };
  });
}

/** A payload that is what the statement's digest and leaf say, but does not say what the statement says. */
export function contradicted(all: Originals, forger: SigningParty): CaseOf<'receipt'>[] {
  const { receipt, payload } = all.filings[0] as Original;
  const open = JSON.parse(receipt.toString()) as Open;
  const members = JSON.parse(payload.toString()) as Members;
  const salt = Buffer.from(open.salt as string, 'base64url');
  const changes: Members[] = [
    { data: {} },
    ...['type', 'filer', 'reference', 'kind', 'supersedes', 'office', 'version'].map((name) => ({ [name]: 'x' })),
    { office: undefined, version: undefined },
    { office: null },
    { period: { from: '2026-01-01', to: '2026-01-01' } },
  ];
  return changes.map((change) => {
    const bytes = Buffer.from(JSON.stringify({ ...members, ...change }));
    const { id, office, index, receivedAt } = open.statement;
    const face = { v: 1, id, office, index, receivedAt, commit: b64u(hash(salt, bytes)) };
    const leaf = b64u(leafOf(canonicalize(face) as string));
    const statement = { ...open.statement, digest: b64u(hash(bytes)), leaf };
    const root = b64u(leafOf(canonicalize(statement) as string));
    const text = canonicalize({ root, treeSize: 1, at: '2026-11-22T00:00:00.000Z', iss: all.issuer }) as string;
    const signature = forger.jws(text, { typ: 'tick+jws' });
    const lie = { ...open, statement, path: [], leafIndex: 0, treeSize: 1, signature };
    const jwks = { keys: [forger.publicJwk as unknown as Jwk] };
    return { kind: 'receipt', jwks, receipt: base64(JSON.stringify(lie)), payload: base64(bytes) };
  });
}
