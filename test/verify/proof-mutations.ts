import type { Jwk, Jwks } from '../../src/client/client.ts';
import { b64u } from '../client/office-fixture.ts';
import { base64, bytesOf, type Case, type CaseOf, type Dice } from './cases.ts';

type Keyed = CaseOf<'checkpoint'> | CaseOf<'proof'> | CaseOf<'national'>;

function mutateNote(dice: Dice, note: string, other: string): string {
  const [text, theirs] = [note, other].map((one) => bytesOf(one).toString()) as [string, string];
  const signature = text.slice(text.lastIndexOf('\n\n') + 2);
  return base64(
    dice.of([
      () => text.replace(/\n(\d+)\n/, `\n${dice.below(400)}\n`),
      () => text.replace(/\n(\d+)\n/, '\n0$1\n'),
      () => text.replace(signature, theirs.slice(theirs.lastIndexOf('\n\n') + 2)),
      () => `${text}${signature}`,
      () => `${text}— witness.example ${Buffer.alloc(72, dice.below(256)).toString('base64')}\n`,
      () => `${text}— witness+example ${Buffer.alloc(72).toString('base64')}\n`,
      () => text.replace('\n\n', '\nmore\n\n'),
      () => text.slice(0, -1),
      () => text.replaceAll('\n', '\r\n'),
    ])(),
  );
}

function mutateKeyed<T extends Keyed>(dice: Dice, value: T, other: T, stranger: Jwk): T {
  return dice.of([
    () => ({ ...value, jwks: dice.rekey(value.jwks, stranger) }),
    () => ({ ...value, origin: dice.of([`${value.origin}0`, 'gateway.example', other.origin]) }),
  ])();
}

/** The cosigners in another way: none, one that does not know the note, or the keys spelt otherwise. */
function recosign(dice: Dice, cosigners: Jwks | undefined, stranger: Jwk): { cosigners: Jwks } {
  return { cosigners: dice.rekey(cosigners ?? { keys: [stranger] }, stranger) };
}

export function mutateCheckpoint(
  dice: Dice,
  value: CaseOf<'checkpoint'>,
  other: CaseOf<'checkpoint'>,
  stranger: Jwk,
): Case {
  const { older } = value;
  const general: (() => Case)[] = [
    () => ({ ...value, note: dice.flip(value.note) }),
    () => ({ ...value, note: dice.flip(value.note) }),
    () => ({ ...value, note: mutateNote(dice, value.note, other.note) }),
    () => ({ ...value, note: other.note }),
    () => mutateKeyed(dice, value, other, stranger),
    () => ({ ...value, ...recosign(dice, value.cosigners ?? other.cosigners, stranger) }),
    () => ({ ...value, ...(other.older && { older: other.older }) }),
  ];
  if (older === undefined) return dice.of(general)();
  return dice.of<() => Case>([
    ...general,
    () => ({ ...value, older: { ...older, note: dice.flip(older.note) } }),
    () => ({ ...value, older: { ...older, note: other.note } }),
    () => ({ ...value, older: { ...older, note: mutateNote(dice, older.note, other.note) } }),
    () => ({ ...value, older: { ...older, path: dice.disorder(older.path, other.older?.path ?? []) } }),
  ])();
}

/** A tlog-proof as its head's lines and its checkpoint. */
function partsOf(proof: string): { lines: string[]; note: string } {
  const text = bytesOf(proof).toString();
  const gap = text.indexOf('\n\n');
  return { lines: text.slice(0, gap).split('\n'), note: text.slice(gap + 2) };
}

/** The same proof with another head. */
function reheaded(dice: Dice, proof: string, other: string): string {
  const { lines, note } = partsOf(proof);
  const theirs = partsOf(other);
  const at = lines.findIndex((line) => line.startsWith('index '));
  const [head, path] = [lines.slice(0, at + 1), lines.slice(at + 1)];
  const their = theirs.lines.findIndex((line) => line.startsWith('index '));
  const whole = (made: readonly string[]): string => base64(`${made.join('\n')}\n\n${note}`);
  return dice.of([
    () => whole([...head, ...dice.disorder(path, theirs.lines.slice(their + 1))]),
    () => whole([...head, ...dice.disorder(path, theirs.lines.slice(their + 1))]),
    () => whole([...theirs.lines.slice(0, their + 1), ...path]),
    () => whole([lines[0] as string, theirs.lines[1] as string, lines[at] as string, ...path]),
    () => whole([...head.slice(0, -1), theirs.lines[their] as string, ...path]),
    () => whole([...head.slice(0, -1), `${lines[at]}0`, ...path]),
    () => whole([lines[0] as string, dice.of(['extra', 'extra ', 'extra A', 'extra AAAA', 'more']), ...lines.slice(1)]),
    () => whole([dice.of(['c2sp.org/tlog-proof@v2', '']), ...lines.slice(1)]),
    () => base64(`${lines.join('\n')}\n${note}`),
    () => base64(`${lines.join('\n')}\n\n${bytesOf(mutateNote(dice, base64(note), base64(theirs.note)))}`),
  ])();
}

export function mutateProof(dice: Dice, value: CaseOf<'proof'>, other: CaseOf<'proof'>, stranger: Jwk): Case {
  const { content } = value;
  const { leaf: _, ...unstated } = value;
  const general: (() => Case)[] = [
    () => ({ ...value, proof: dice.flip(value.proof) }),
    () => ({ ...value, proof: dice.flip(value.proof) }),
    () => ({ ...value, proof: reheaded(dice, value.proof, other.proof) }),
    () => ({ ...value, proof: reheaded(dice, value.proof, other.proof) }),
    () => (value.leaf === undefined || other.leaf === undefined ? value : { ...value, leaf: other.leaf }),
    () => ({ ...value, index: other.index }),
    () => ({ ...value, proof: other.proof }),
    () => mutateKeyed(dice, value, other, stranger),
    () => ({ ...value, ...recosign(dice, value.cosigners ?? other.cosigners, stranger) }),
  ];
  if (content === undefined) return dice.of(general)();
  return dice.of<() => Case>([
    ...general,
    () => ({ ...value, content: { ...content, payload: dice.flip(content.payload) } }),
    () => ({ ...unstated, content: { ...content, payload: dice.flip(content.payload) } }),
    () => ({ ...value, content: { ...content, salt: dice.flip(content.salt) } }),
    () => ({ ...unstated, content: { ...content, receivedAt: '2026-11-22T00:00:00.000Z' } }),
    () => ({ ...value, content: other.content ?? content }),
  ])();
}

export function mutateNational(dice: Dice, value: CaseOf<'national'>, other: CaseOf<'national'>, stranger: Jwk): Case {
  const { office: _, ...unnamed } = value;
  return dice.of<() => Case>([
    () => ({ ...value, proof: dice.flip(value.proof) }),
    () => ({ ...value, proof: dice.flip(value.proof) }),
    () => ({ ...value, proof: reheaded(dice, value.proof, other.proof) }),
    () => ({ ...value, proof: reheaded(dice, value.proof, other.proof) }),
    () => ({ ...value, proof: bitOfExtra(dice, value.proof) }),
    () => ({ ...value, proof: other.proof }),
    () => ({ ...value, office: dice.of([other.office ?? '', `${value.office}0`]) }),
    () => mutateKeyed(dice, unnamed, other, stranger),
    () => mutateKeyed(dice, value, other, stranger),
  ])();
}

/** One bit of the entry's text the other way round. */
function bitOfExtra(dice: Dice, proof: string): string {
  const text = bytesOf(proof).toString();
  return base64(text.replace(/extra (\S+)/, (_, extra: string) => `extra ${dice.flip(extra)}`));
}

export function mutateConsistency(dice: Dice, value: CaseOf<'consistency'>, other: CaseOf<'consistency'>): Case {
  const { oldSize, size, oldRoot, root, path } = value;
  return dice.of<() => Case>([
    () => ({ ...value, path: dice.disorder(path, other.path) }),
    () => ({ ...value, size: dice.of([size + 1, size - 1, other.size, -1]) }),
    () => ({ ...value, oldSize: dice.of([oldSize + 1, oldSize - 1, other.oldSize, -1]) }),
    () => ({ ...value, oldRoot: root, root: oldRoot }),
    () => ({ ...value, oldRoot: other.oldRoot }),
    () => ({ ...value, root: b64u(bytesOf(dice.flip(base64(Buffer.from(root, 'base64url'))))) }),
    () => ({ ...value, path: other.path }),
  ])();
}
