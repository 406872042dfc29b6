// One of several processes that make the parties of a deadline night and sign for them.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type CorpusOptions, enterprise, officeOf, usccOf, vatReturn } from '../corpus.ts';
import { makeKey, publicHalf } from '../keys.ts';
import { QuickSigner } from '../quick-sign.ts';
import type { CorpusPart, CorpusWork } from './corpus.ts';

interface Made {
  readonly filings: string[];
  readonly parties: object[];
}

const { corpus } = JSON.parse(process.argv[2] ?? '') as CorpusWork;
const { issuer, seed, offices, clients } = corpus;
const FIRST_DAY = '2020-01-01';

function optionsOf(whose: string): CorpusOptions {
  return { seed: whose, filers: corpus.filers, offices, shape: 'usual' };
}

function filer(uscc: string, office: string, name: string): object[] {
  return [
    { op: 'party', id: uscc, kind: 'filer', name, taxpayerKind: 'general' },
    { op: 'registration', filer: uscc, registrations: [{ office, from: FIRST_DAY }] },
  ];
}

function sign(signer: QuickSigner, options: CorpusOptions, uscc: string, index: number): string {
  return signer.sign(Buffer.from(JSON.stringify(vatReturn(options, uscc, index, 0))));
}

function makeFilers(from: number, to: number): Made {
  const options = optionsOf(seed);
  const made: Made = { filings: [], parties: [] };
  for (let i = from; i < to; i++) {
    const { uscc, key, office } = enterprise(options, i);
    const [party, registration] = filer(uscc, office, `压测企业 ${i}`);
    made.parties.push(party as object, { op: 'key', party: uscc, jwk: publicHalf(key) }, registration as object);
    made.filings.push(sign(new QuickSigner(key, issuer), options, uscc, i));
  }
  return made;
}

/** The agent's clients file nothing themselves: they have no keys, and it has their mandates. */
function makeAgent(number: number): Made {
  const options = optionsOf(`${seed} clients`);
  const agent = usccOf(`${seed} agents`, number);
  const key = makeKey(`${seed} agents`, number);
  const signer = new QuickSigner(key, issuer);
  const made: Made = {
    filings: [],
    parties: [
      { op: 'party', id: agent, kind: 'agent', name: `压测代账 ${number}` },
      { op: 'key', party: agent, jwk: publicHalf(key) },
    ],
  };
  for (let i = number * clients; i < (number + 1) * clients; i++) {
    const uscc = usccOf(options.seed, i);
    const mandate = {
      op: 'mandate',
      id: `deadline-${number}-${i}`,
      agent,
      filer: uscc,
      types: ['tax.*'],
      from: FIRST_DAY,
    };
    made.parties.push(...filer(uscc, officeOf(i % offices), `压测客户 ${i}`), mandate);
    made.filings.push(sign(signer, options, uscc, i));
  }
  return made;
}

/** Whole or not at all: a run may be interrupted here. */
function keep(file: string, lines: readonly string[]): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, `${lines.join('\n')}\n`);
  renameSync(`${file}.part`, file);
}

process.on('message', ({ of, filings, parties, count }: CorpusPart) => {
  const made = 'agent' in of ? makeAgent(of.agent) : makeFilers(of.from, of.to);
  keep(filings, made.filings);
  keep(
    parties,
    made.parties.map((party) => JSON.stringify(party)),
  );
  process.send?.(count);
  process.send?.('idle');
});

// The parent was broken off: what it waited for is of no use.
process.on('error', () => process.exit(1));
