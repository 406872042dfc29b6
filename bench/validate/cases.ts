import type { FilingPayload } from '../../src/domain/filing.ts';
import type { Catalogue, FilingTypeVersion } from '../../src/domain/filing-type.ts';
import { parsePayload } from '../../src/ingest/pipeline.ts';
import { vatReturn } from '../corpus.ts';
import { manyPersons, manyWithheld } from './many.ts';

/** One filing whose validation is weighed. */
export interface ValidateCase {
  readonly type: string;
  readonly version: string;
  /** What is special about the filing. */
  readonly filing: string;
  readonly bytes: number;
  /** The way of a filing's content through `ingest/pipeline.ts`, step by step. */
  readonly steps: Readonly<Partial<Record<Step, () => void>>>;
}

/** `parse`: strict JSON and envelope. `check`: schema and rules. `compare`: rules that look at other filings. */
export type Step = 'parse' | 'check' | 'compare';

export const FULL_RETURN = 'every line, all schedules';
export const WITHHELD = 'lines of income tax';

export interface CaseOptions {
  /** Persons of the long lists. */
  readonly lines: number;
}

/** Each version of each type with its first valid example, and filings that are larger than most. */
export function validateCases(
  catalogue: Catalogue,
  files: ReadonlyMap<string, string>,
  { lines }: CaseOptions,
): ValidateCase[] {
  const cases: ValidateCase[] = [];
  const add = (name: string, version: FilingTypeVersion, filing: string, payload: FilingPayload): void => {
    cases.push(caseOf(name, version, filing, payload, files));
  };
  for (const [name, { versions }] of catalogue.types)
    for (const version of versions.values()) add(name, version, 'first example', version.example);
  const newest = (name: string): FilingTypeVersion => {
    const version = [...(catalogue.types.get(name)?.versions.values() ?? [])].at(-1);
    if (version === undefined) throw new Error(`there is no ${name}`);
    return version;
  };
  const example = (name: string, file: string): FilingPayload => {
    const path = `${folderOf(name, files)}/${newest(name).metadata.version}/examples/${file}.json`;
    return JSON.parse(files.get(path) ?? 'null') as FilingPayload;
  };
  const vat = newest('tax.vat.general');
  const corpus = { seed: 'validate', filers: 1, offices: 1, shape: 'full' } as const;
  add('tax.vat.general', vat, 'every line, no schedules', vatReturn(corpus, vat.example.filer, 0, 0));
  add('tax.vat.general', vat, FULL_RETURN, example('tax.vat.general', 'valid-full'));
  const persons = manyPersons(example('si.contribution', 'valid-one-person'), lines);
  add('si.contribution', newest('si.contribution'), `${lines} persons`, persons);
  const withheld = manyWithheld(example('tax.iit.withholding', 'valid-month-4'), lines);
  add('tax.iit.withholding', newest('tax.iit.withholding'), `${lines} ${WITHHELD}`, withheld);
  return cases;
}

function caseOf(
  type: string,
  version: FilingTypeVersion,
  filing: string,
  payload: FilingPayload,
  files: ReadonlyMap<string, string>,
): ValidateCase {
  const bytes = Buffer.from(JSON.stringify(payload));
  const { errors, warnings } = version.check(payload);
  if (errors.length > 0) throw new Error(`${type} ${filing}: ${JSON.stringify([...errors, ...warnings])}`);
  const comparing = filing === 'first example' ? comparison(type, version, files) : undefined;
  return {
    type,
    version: version.metadata.version,
    filing,
    bytes: bytes.length,
    steps: {
      parse: () => void parsePayload(bytes),
      check: () => void version.check(payload),
      ...(comparing === undefined ? {} : { compare: () => void comparing() }),
    },
  };
}

interface ComparingExample {
  readonly filing?: FilingPayload;
  readonly others?: Readonly<Record<string, readonly FilingPayload[]>>;
}

/** The version's rules on other filings, over the first of its examples that has such. */
function comparison(type: string, version: FilingTypeVersion, files: ReadonlyMap<string, string>) {
  const folder = `${folderOf(type, files)}/${version.metadata.version}/examples/`;
  for (const path of [...files.keys()].filter((name) => name.startsWith(folder)).sort()) {
    const { filing, others } = JSON.parse(files.get(path) ?? '{}') as ComparingExample;
    if (filing === undefined || others === undefined) continue;
    const byName = new Map(Object.entries(others));
    return () => version.compare(filing, byName);
  }
  return undefined;
}

function folderOf(type: string, files: ReadonlyMap<string, string>): string {
  for (const [path, text] of files)
    if (path.endsWith('/type.json') && (JSON.parse(text) as { type?: unknown }).type === type)
      return path.slice(0, -'/type.json'.length);
  throw new Error(`there is no folder of ${type}`);
}
