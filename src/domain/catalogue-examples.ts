import type { Violation } from '../std/errors.ts';
import type { FilingPayload } from './filing.ts';
import type { FilingTypeMetadata, FilingTypeVersion } from './filing-type.ts';
import { filingType } from './filing-types.ts';
import type { JsonDocument } from './json-document.ts';
import { checkAgainstType, checkEnvelope } from './payload.ts';
import type { RuleOrigin } from './rules/rule-file.ts';

type Version = Omit<FilingTypeVersion, 'example'>;
type ReportAt = (file: string, line: number, message: string) => void;

/**
 * The examples are the tests of a version: two or more valid ones without any finding, and for every rule one filing
 * that breaks just that rule. Returns the first valid one.
 */
export function checkExamples(
  metadata: FilingTypeMetadata,
  version: Version,
  origins: ReadonlyMap<string, RuleOrigin>,
  documents: readonly JsonDocument[],
  report: ReportAt,
  path: string,
): FilingPayload | undefined {
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
    const payload = examplePayload(document, metadata, version, note);
    if (payload === undefined) continue;
    const verdict = version.check(payload);
    const findings = [...verdict.errors, ...verdict.warnings];
    if (name.startsWith('valid-')) {
      valid++;
      example ??= payload;
      for (const finding of findings)
        note(document.file, lineOf(document, finding), `a valid example must have no finding: ${describe(finding)}`);
      continue;
    }
    const rule = name.slice('invalid-'.length);
    if (!version.rules.some(({ id }) => id === rule)) note(document.file, 1, `there is no rule ${rule}`);
    if (!findings.some((finding) => finding.rule === rule))
      note(document.file, 1, `this example must break rule ${rule} and does not`);
    for (const finding of findings) {
      if (finding.rule !== rule)
        note(document.file, lineOf(document, finding), `this example must break ${rule} only: ${describe(finding)}`);
    }
  }
  if (valid < 2)
    note(`${path}/rules.json`, 1, `at least two valid examples are needed in ${path}/examples, there are ${valid}`);
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
  return isSound ? example : undefined;
}

function examplePayload(
  document: JsonDocument,
  metadata: FilingTypeMetadata,
  version: Version,
  report: ReportAt,
): FilingPayload | undefined {
  const { payload, errors } = checkEnvelope(document.value);
  const type = filingType(metadata, new Map([[version.metadata.version, version as FilingTypeVersion]]));
  const findings = errors ?? (payload.type === metadata.type ? checkAgainstType(payload, type) : []);
  for (const finding of findings) report(document.file, lineOf(document, finding), describe(finding));
  if (payload !== undefined && payload.type !== metadata.type)
    report(document.file, document.lineOf('/type'), `an example of ${metadata.type} must have that type`);
  return findings.length === 0 && payload?.type === metadata.type ? payload : undefined;
}

function lineOf(document: JsonDocument, finding: Violation): number {
  return document.lineOf(finding.pointer);
}

function describe({ pointer, rule, code, message }: Violation): string {
  return `${pointer} ${rule ?? code}: ${message.en}`;
}
