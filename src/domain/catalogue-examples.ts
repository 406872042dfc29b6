import type { Violation } from '../std/errors.ts';
import type { FilingPayload } from './filing.ts';
import type { Figures, FilingType, FilingTypeMetadata, FilingTypeVersion } from './filing-type.ts';
import { filingType } from './filing-types.ts';
import type { JsonDocument } from './json-document.ts';
import { checkAgainstType, checkEnvelope } from './payload.ts';
import type { RuleOrigin } from './rules/rule-file.ts';
import { asksForFiling, isComparing } from './rules/rule-paths.ts';

type Version = Omit<FilingTypeVersion, 'example'>;
type ReportAt = (file: string, line: number, message: string) => void;

/** A filing as an example gives it: alone, or as `{ "filing", "others", "figures" }` with what its rules look at beside it. */
interface Example {
  readonly document: JsonDocument;
  /** Of the filing in the document. */
  readonly pointer: string;
  readonly payload: FilingPayload;
  readonly others: ReadonlyMap<string, readonly FilingPayload[]>;
  readonly figures: Figures | undefined;
}

export interface ExampleContext {
  readonly metadata: FilingTypeMetadata;
  readonly version: Version;
  readonly origins: ReadonlyMap<string, RuleOrigin>;
  readonly types: ReadonlyMap<string, FilingType>;
  /** Folder of the version. */
  readonly path: string;
}

/**
 * The examples are the tests of a version: two or more valid ones without any finding, and for every rule one filing
 * that breaks just that rule. Returns the first valid one.
 */
export function checkExamples(
  context: ExampleContext,
  documents: readonly JsonDocument[],
  report: ReportAt,
): FilingPayload | undefined {
  const { version, path } = context;
  const named = new Map(
    documents.map((document) => [document.file.slice(`${path}/examples/`.length, -'.json'.length), document]),
  );
  let example: FilingPayload | undefined;
  let isSound = true;
  const note: ReportAt = (file, line, message) => {
    isSound = false;
    report(file, line, message);
  };
  let valid = 0;
  for (const [name, document] of named) {
    const read = readExample(document, context, note);
    if (read === undefined) continue;
    const findings = findingsOf(read, version);
    if (name.startsWith('invalid-')) {
      checkInvalid(name.slice('invalid-'.length), read, findings, version, note);
      continue;
    }
    if (name.startsWith('valid-')) {
      valid++;
      example ??= read.payload;
      if (read.pointer !== '')
        note(document.file, 1, 'a valid example is a filing alone: name this one compared-<word>.json');
    } else if (read.others.size === 0) note(document.file, 1, 'there is nothing to compare with');
    for (const finding of findings)
      note(document.file, lineOf(read, finding), `a valid example must have no finding: ${describe(finding)}`);
  }
  if (valid < 2)
    note(`${path}/rules.json`, 1, `at least two valid examples are needed in ${path}/examples, there are ${valid}`);
  checkCovered(context, named, note);
  return isSound ? example : undefined;
}

/** Of a filing alone, nothing is said about filings that would have to stand beside it. */
function findingsOf({ pointer, payload, others, figures }: Example, version: Version): Violation[] {
  const verdict = version.check(payload, figures);
  const found = [...verdict.errors, ...verdict.warnings];
  if (verdict.errors.length > 0) return found;
  const asking = new Set(pointer !== '' ? [] : version.rules.filter(asksForFiling).map(({ id }) => id));
  const compared = version.compare(payload, others, figures);
  return [...found, ...compared.filter(({ rule }) => rule === undefined || !asking.has(rule))];
}

function checkInvalid(
  rule: string,
  example: Example,
  findings: readonly Violation[],
  version: Version,
  note: ReportAt,
): void {
  const { file } = example.document;
  const definition = version.rules.find(({ id }) => id === rule);
  if (definition === undefined) note(file, 1, `there is no rule ${rule}`);
  else if (example.pointer === '' && isComparing(definition))
    note(file, 1, `rule ${rule} compares: its example is { "filing": ..., "others": { "<name>": [...] } }`);
  if (!findings.some((finding) => finding.rule === rule))
    note(file, 1, `this example must break rule ${rule} and does not`);
  for (const finding of findings) {
    if (finding.rule !== rule)
      note(file, lineOf(example, finding), `this example must break ${rule} only: ${describe(finding)}`);
  }
}

function checkCovered(
  { version, origins, path }: ExampleContext,
  named: ReadonlyMap<string, JsonDocument>,
  note: ReportAt,
): void {
  for (const { id } of version.rules) {
    const origin = origins.get(id);
    // A rule that is inherited unchanged was tested in the version that it comes from.
    if (origin === undefined || origin.version !== version.metadata.version || named.has(`invalid-${id}`)) continue;
    note(
      origin.document.file,
      origin.document.lineOf(origin.pointer),
      `rule ${id} has no example: ${path}/examples/invalid-${id}.json`,
    );
  }
}

function readExample(document: JsonDocument, context: ExampleContext, note: ReportAt): Example | undefined {
  const { metadata, version } = context;
  const value = document.value as Readonly<Record<string, unknown>> | null;
  const isWrapped = isObject(value) && Object.hasOwn(value, 'filing');
  const type = filingType(metadata, new Map([[version.metadata.version, version as FilingTypeVersion]]));
  const pointer = isWrapped ? '/filing' : '';
  const payload = payloadOf(document, pointer, isWrapped ? value.filing : value, type, note);
  if (payload === undefined) return undefined;
  if (!isWrapped) return { document, pointer, payload, others: new Map(), figures: undefined };
  for (const member of Object.keys(value)) {
    if (!['filing', 'others', 'figures'].includes(member))
      note(document.file, document.lineOf(`/${member}`), `an example has no ${member}`);
  }
  const others = readOthers(document, value.others ?? {}, context, note);
  const figures = readFigures(document, value.figures ?? {}, version, note);
  return { document, pointer, payload, others, figures };
}

function readOthers(
  document: JsonDocument,
  value: unknown,
  { version, types }: ExampleContext,
  note: ReportAt,
): ReadonlyMap<string, readonly FilingPayload[]> {
  const result = new Map<string, FilingPayload[]>();
  for (const [name, list] of Object.entries(isObject(value) ? value : {})) {
    const at = `/others/${name}`;
    const declared = Object.hasOwn(version.ruleSet.others, name) ? version.ruleSet.others[name] : undefined;
    const type = types.get(declared?.type ?? '');
    if (type === undefined || !Array.isArray(list)) {
      note(document.file, document.lineOf(at), `${at}: a list of filings under a name that the rules declare`);
      continue;
    }
    const payloads = list.flatMap((element, i) => payloadOf(document, `${at}/${i}`, element, type, note) ?? []);
    if (payloads.length > 0) result.set(name, payloads);
  }
  return result;
}

function readFigures(document: JsonDocument, value: unknown, version: Version, note: ReportAt): Figures | undefined {
  const figures = new Map<string, number>();
  for (const [name, figure] of Object.entries(isObject(value) ? value : {})) {
    if (Object.hasOwn(version.ruleSet.regional, name) && Number.isSafeInteger(figure))
      figures.set(name, figure as number);
    else
      note(
        document.file,
        document.lineOf(`/figures/${name}`),
        `/figures/${name}: a whole number that the rules declare`,
      );
  }
  return figures.size === 0 ? undefined : (name) => figures.get(name);
}

/** A filing of the type whose content keeps the form; what its rules say of it is another matter. */
function payloadOf(
  document: JsonDocument,
  pointer: string,
  value: unknown,
  type: FilingType,
  note: ReportAt,
): FilingPayload | undefined {
  const { payload, errors } = checkEnvelope(value);
  if (payload !== undefined && payload.type !== type.metadata.type) {
    note(document.file, document.lineOf(`${pointer}/type`), `an example of ${type.metadata.type} must have that type`);
    return undefined;
  }
  const wrong = [...(errors ?? checkAgainstType(payload, type))];
  // The filing itself is checked whole, later.
  if (payload !== undefined && pointer.startsWith('/others')) {
    const { errors: inData = [] } = type.resolve(payload.version, payload.period)?.check(payload) ?? {};
    wrong.push(...inData.filter(({ code }) => code === 'schema'));
  }
  for (const finding of wrong)
    note(document.file, document.lineOf(pointer + finding.pointer), `${pointer}${describe(finding)}`);
  return wrong.length === 0 ? payload : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function lineOf({ document, pointer }: Example, finding: Violation): number {
  return document.lineOf(pointer + finding.pointer);
}

function describe({ pointer, rule, code, message }: Violation): string {
  return `${pointer} ${rule ?? code}: ${message.en}`;
}
