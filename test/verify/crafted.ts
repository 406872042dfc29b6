import canonicalize from 'canonicalize';
import type { Jwk } from '../../src/client/client.ts';
import { consistencyPath } from '../../src/log/merkle.ts';
import { b64u, hash, leafOf, pathOf, rootOf } from '../client/office-fixture.ts';
import type { SigningParty } from '../support/filer.ts';
import { base64, bytesOf, type Case, type CaseOf } from './cases.ts';
import type { Original, Originals } from './originals.ts';
import {
  cosignature,
  headText,
  keyOf,
  nationalProofs,
  note,
  recoveredLine,
  recoveryText,
  type SeededKey,
  seededKey,
  setOf,
  textOf,
  tlogProof,
  trailText,
} from './workshop.ts';

// What a gateway hands out when offices cosign, logs were recovered and the national log runs: made from what this one
// handed out, and signed with its key.

interface LogEntry {
  readonly receivedAt: string;
  readonly salt: string;
  readonly leaf: string;
  readonly payload?: string;
}

const TIME = 1_795_000_000;

/** What the makers below work with. */
class Bench {
  readonly all: Originals;
  readonly key: SeededKey;
  readonly office = seededKey('an office’s key');
  readonly origin: string;
  readonly entries: readonly LogEntry[];
  readonly leaves: readonly Buffer[];

  constructor(all: Originals) {
    this.all = all;
    this.key = keyOf(all.signing);
    this.origin = `${this.base}/offices/${all.office}`;
    this.entries = all.entries.map((line) => JSON.parse(line.toString()) as LogEntry);
    this.leaves = this.entries.map(({ leaf }) => Buffer.from(leaf, 'base64url'));
  }

  get base(): string {
    return this.all.issuer.replace('http://', '');
  }

  tree(size: number): { size: number; root: Buffer } {
    return { size, root: rootOf(this.leaves.slice(0, size)) };
  }

  /** A checkpoint of the office's log, with extension lines. */
  checkpoint(size: number, ...extensions: readonly string[]): string {
    return note(headText(this.origin, size, this.tree(size).root, ...extensions), this.key);
  }

  path(oldSize: number, size: number): string[] {
    return consistencyPath(hash, this.leaves.slice(0, size), oldSize).map(b64u);
  }

  cosigned(signed: string): string {
    return `${signed}${cosignature(signed, TIME, this.office)}`;
  }

  case(note: string, more: Partial<CaseOf<'checkpoint'>> = {}): CaseOf<'checkpoint'> {
    return { kind: 'checkpoint', jwks: this.all.jwks, origin: this.origin, note: base64(note), ...more };
  }

  older(note: string, oldSize: number, size: number): NonNullable<CaseOf<'checkpoint'>['older']> {
    return { note: base64(note), path: this.path(oldSize, size) };
  }
}

/** Cases that both must accept. */
export function crafted(all: Originals): Case[] {
  const bench = new Bench(all);
  return [...checkpoints(bench), ...proofs(bench), ...nationals(bench), ...contents(bench)];
}

/** What the log lost when it was recovered: larger than what was kept, and with another root. */
const LOST = { size: 90, root: hash(Buffer.from('lost')) };

function checkpoints(bench: Bench): Case[] {
  const { all, office } = bench;
  const [before, after] = all.checkpoints.map(String) as [string, string];
  const sizes = [before, after].map((text) => Number(text.split('\n')[1])) as [number, number];
  const recovered = bench.checkpoint(100, recoveredLine(64, LOST));
  const twice = bench.checkpoint(120, recoveredLine(64, LOST), recoveredLine(110, LOST), 'words of another kind');
  const cosigners = setOf(seededKey('another'), office);
  return [
    bench.case(bench.cosigned(before), { cosigners }),
    bench.case(bench.cosigned(after), { cosigners }),
    bench.case(bench.cosigned(twice), { cosigners }),
    bench.case(`${bench.cosigned(after)}${cosignature(after, TIME, seededKey('unknown'))}`, { cosigners }),
    bench.case(bench.cosigned(after), { cosigners: { keys: cosigners.keys.map(({ kid: _, ...key }) => key as Jwk) } }),
    bench.case(after, { older: bench.older(before, ...sizes) }),
    bench.case(after, { older: bench.older(after, sizes[1], sizes[1]) }),
    bench.case(after, { older: bench.older(bench.checkpoint(0), 0, sizes[1]) }),
    bench.case(recovered),
    bench.case(twice),
    bench.case(recovered, { older: bench.older(bench.checkpoint(64), 64, 100) }),
    bench.case(twice, { older: bench.older(recovered, 100, 120) }),
    bench.case(bench.cosigned(twice), { cosigners, older: bench.older(bench.cosigned(recovered), 100, 120) }),
  ];
}

function proofs(bench: Bench): Case[] {
  const { all, origin, entries, office } = bench;
  const cosigners = setOf(office);
  const made = all.proofs.slice(0, 20).flatMap(({ index, leaf, proof }, i): Case[] => {
    const common = { kind: 'proof', jwks: all.jwks, origin, index, leaf } as const;
    const text = proof.toString();
    const gap = text.indexOf('\n\n') + 2;
    const { receivedAt, salt } = entries[index] as LogEntry;
    const { payload } = all.filings.find((filing) => filing.index === index) as Original;
    const content = { receivedAt, salt: base64(Buffer.from(salt, 'base64url')), payload: base64(payload) };
    const cosigned = base64(`${text.slice(0, gap)}${bench.cosigned(text.slice(gap))}`);
    const extra = text.replace('\n', `\nextra ${base64(`more ${i}`)}\n`);
    const { leaf: _, ...unstated } = common;
    return [
      { ...common, proof: cosigned, cosigners },
      { ...common, proof: base64(extra) },
      { ...common, proof: base64(proof), content },
      { ...unstated, proof: cosigned, content, cosigners },
    ];
  });
  const alone = tlogProof({ extra: '', index: 0, path: [], checkpoint: bench.checkpoint(1) });
  const leaf = b64u(bench.leaves[0] as Buffer);
  return [...made, { kind: 'proof', jwks: all.jwks, origin, index: 0, leaf, proof: base64(alone) }];
}

/** The entries of a national log. */
function nationalTexts(bench: Bench): string[] {
  const { base, origin, all } = bench;
  const other = headText(`${base}/offices/13501000000`, 7, hash(Buffer.from('other')));
  return [
    ...all.checkpoints.map((signed) => textOf(signed.toString())),
    other,
    trailText(base, 0, Buffer.alloc(32)),
    recoveryText(origin, bench.tree(64), LOST, '2026-11-22T19:55:03.723Z'),
    textOf(bench.checkpoint(100, recoveredLine(64, LOST))),
    recoveryText(`${base}/national`, bench.tree(1), LOST, '2026-11-22T19:55:03Z'),
    trailText(base, 812, hash(Buffer.from('trail'))),
  ];
}

function nationals(bench: Bench): Case[] {
  const { all, base, key } = bench;
  const national = `${base}/national`;
  const texts = nationalTexts(bench);
  const made = nationalProofs(texts, national, key);
  return made.map((proof, i): Case => {
    const office = (texts[i] as string).split('\n')[0] as string;
    const common = { kind: 'national', jwks: all.jwks, origin: national, proof: base64(proof) } as const;
    return office.endsWith('/trail') || i === 1 ? common : { ...common, office };
  });
}

function contents({ all }: Bench): Case[] {
  return all.filings.flatMap((filing): Case[] => {
    const content = filing.jws ?? bulkContent(all, filing.index);
    const common = { kind: 'content', content: base64(content), jwks: filing.filerKeys } as const;
    const compact: Case[] =
      filing.compact === undefined || filing.index % 7 > 0 ? [] : [{ ...common, receipt: base64(filing.compact) }];
    return filing.index % 3 > 0 ? [common, ...compact] : [{ ...common, receipt: base64(filing.receipt) }, ...compact];
  });
}

/** As `GET .../content` answers it for a line of form B. */
function bulkContent({ entries }: Originals, index: number): string {
  const { payload, manifest, line, path } = JSON.parse((entries[index] as Buffer).toString()) as Record<
    string,
    unknown
  >;
  return JSON.stringify({ payload, manifest, line, path });
}

/** Cases that both must refuse, each with the step that fails. */
export function lies(all: Originals, forger: SigningParty): (readonly [string, Case])[] {
  const bench = new Bench(all);
  return [...falseCheckpoints(bench), ...falseEntries(bench), ...countAsText(bench, forger), ...noForm(bench, forger)];
}

function falseCheckpoints(bench: Bench): (readonly [string, Case])[] {
  const { all, office, origin } = bench;
  const after = String(all.checkpoints[1]);
  const cosigners = setOf(office);
  const recovered = bench.checkpoint(100, recoveredLine(64, LOST));
  const foreign = note(headText(origin, 80, LOST.root), bench.key);
  const shifted = bench.cosigned(after).replace(/cosigner \S+/, (line) => {
    const bytes = Buffer.from(line.split(' ')[1] as string, 'base64');
    bytes.writeUInt8(bytes.readUInt8(11) ^ 1, 11);
    return `cosigner ${base64(bytes)}`;
  });
  const renamed = note(textOf(after), bench.key) + cosignature(after, TIME, office).replace('/cosigner', '/witness');
  const asGateway = note(textOf(after), office, `${origin}/cosigner`);
  const lines = ['recovered 64 90', 'recovered 064 90 A', `${recoveredLine(64, LOST)} more`, recoveredLine(-1, LOST)];
  return [
    ['recovered', bench.case(recovered, { older: bench.older(foreign, 80, 100) })],
    [
      'consistency',
      bench.case(recovered, { older: { note: base64(note(headText(origin, 95, LOST.root), bench.key)), path: [] } }),
    ],
    ['consistency', bench.case(bench.checkpoint(100), { older: bench.older(foreign, 80, 100) })],
    ['older', bench.case(after, { older: { note: base64(note(textOf(after), office)), path: [] } })],
    [
      'older',
      bench.case(after, { older: { note: base64(note(headText(`${origin}0`, 1, LOST.root), bench.key)), path: [] } }),
    ],
    ['cosignature', bench.case(after, { cosigners })],
    ['cosignature', bench.case(bench.cosigned(after), { cosigners: setOf(seededKey('another')) })],
    ['cosignature', bench.case(bench.cosigned(after), { cosigners: { keys: [] } })],
    ['cosignature', bench.case(shifted, { cosigners })],
    ['cosignature', bench.case(renamed, { cosigners })],
    ['origin', bench.case(note(headText(`${origin}0`, 1, LOST.root), bench.key, origin))],
    [
      'older',
      bench.case(after, {
        older: { note: base64(note(headText(`${origin}0`, 1, LOST.root), bench.key, origin)), path: [] },
      }),
    ],
    ['signature', bench.case(asGateway, { cosigners })],
    ['signature', bench.case(`${textOf(after)}\n${cosignature(after, TIME, office)}`, { cosigners })],
    ...lines.map((line) => ['form', bench.case(bench.checkpoint(100, line))] as const),
  ];
}

function falseEntries(bench: Bench): (readonly [string, Case])[] {
  const { all, base, origin, key } = bench;
  const national = `${base}/national`;
  const national0 = (text: string): Case => {
    const [proof] = nationalProofs([text], national, key) as [string];
    return { kind: 'national', jwks: all.jwks, origin: national, proof: base64(proof) };
  };
  const at = '2026-11-22T19:55:03.723Z';
  const texts = [
    '',
    '\n',
    `${origin}\n`,
    `${origin}\nrecovered\n`,
    headText(`gateway.example/offices/1`, 1, LOST.root),
    headText(`${base}/offices/`, 1, LOST.root),
    headText(`${base}/offices/1/2`, 1, LOST.root),
    headText(origin, 1, LOST.root, 'recovered 1'),
    recoveryText(origin, LOST, LOST, 'yesterday'),
    `${recoveryText(origin, LOST, LOST, at)}more\n`,
    recoveryText(`${base}/nations`, LOST, LOST, at),
    headText(national, 1, LOST.root),
    trailText(base, -1, LOST.root),
    `${trailText(base, 1, LOST.root)}more\n`,
    trailText(base, 1, LOST.root).slice(0, -1),
    trailText('gateway.example', 1, LOST.root),
  ];
  const good = national0(headText(origin, 1, LOST.root)) as CaseOf<'national'>;
  const bare = bytesOf(good.proof)
    .toString()
    .replace(/extra .*\n/, '');
  return [
    ...texts.map((text) => ['entry', national0(text)] as const),
    ['office', { ...good, office: `${origin}0` }],
    ['office', { ...(national0(trailText(base, 1, LOST.root)) as CaseOf<'national'>), office: origin }],
    ['proof', { ...good, proof: base64(bare) }],
    [
      'inclusion',
      { ...good, proof: base64(bare.replace('\n', `\nextra ${base64(headText(origin, 2, LOST.root))}\n`)) },
    ],
    ['entry', { ...good, origin: base }],
  ];
}

/** A manifest whose `count` is a numeral, but no number. */
function countAsText(bench: Bench, forger: SigningParty): (readonly [string, Case])[] {
  const { all } = bench;
  const jwks = { keys: [forger.publicJwk as unknown as Jwk] };
  const made = (count: unknown, line: unknown): { content: Case; entry: Case } => {
    const payload = Buffer.from('{"type":"city.event"}');
    const lines = [payload, Buffer.from('{}')].map(leafOf);
    const manifest = forger.jws(JSON.stringify({ count, root: b64u(rootOf(lines)) }), { typ: 'filing+jws' });
    const bulk = { payload: b64u(payload), manifest, line, path: pathOf(lines, 0).map(b64u) };
    const salt = Buffer.alloc(16, 7);
    const face = { id: `${all.office}.0`, office: all.office, index: 0, receivedAt: '2026-11-22T00:00:00.000Z' };
    const leaf = leafOf(canonicalize({ v: 1, ...face, commit: b64u(hash(salt, payload)) }) as string);
    const entry = { ...face, salt: b64u(salt), leaf: b64u(leaf), ...bulk };
    return {
      content: { kind: 'content', jwks, content: base64(JSON.stringify(bulk)) },
      entry: { kind: 'entry', jwks, office: all.office, index: 0, entry: base64(JSON.stringify(entry)) },
    };
  };
  const honest = made(2, 0);
  const wrong = ['2', [2], 2.5, null, true, '0x2'].map((count) => made(count, 0));
  const lines = ['0', [], -0.5, null].map((line) => made(2, line));
  return [
    ['ok', honest.content],
    ['ok', honest.entry],
    ...[...wrong, ...lines].flatMap(({ content, entry }) => [['line', content] as const, ['entry', entry] as const]),
  ];
}

/** Lone surrogates, which have no canonical form, where both sides have the same. */
function noForm(bench: Bench, forger: SigningParty): (readonly [string, Case])[] {
  const { receipt, payload: filed } = bench.all.filings[0] as Original;
  const { statement } = JSON.parse(receipt.toString()) as { statement: { office: string; index: number } };
  const jwks = { keys: [forger.publicJwk as unknown as Jwk] };
  // Everything that is compared before the reference is the same, so that the reference is what is looked at.
  const payload = Buffer.from(JSON.stringify({ ...JSON.parse(filed.toString()), reference: '\ud800' }));
  const said = { ...statement, reference: '\ud800', digest: b64u(hash(payload)) };
  const compact = base64(forger.jws(JSON.stringify(said), { typ: 'receipt+jws' }));
  const content = base64(forger.jws(payload.toString(), { typ: 'filing+jws' }));
  const open = JSON.parse(receipt.toString()) as object;
  const times = { ...statement, receivedAt: '\ud800', digest: b64u(hash(payload)) };
  return [
    ['content', { kind: 'receipt', jwks, receipt: compact, payload: base64(payload) }],
    ['content', { kind: 'content', content, receipt: compact }],
    ['leaf', { kind: 'content', content, receipt: base64(JSON.stringify({ ...open, statement: times })) }],
  ];
}
