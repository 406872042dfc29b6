import type { Text } from '../std/text.ts';
import { type Comparison, checkOthers, checkSupplement, comparisonOf } from './catalogue-comparisons.ts';
import { checkExamples } from './catalogue-examples.ts';
import { checkPrefill } from './catalogue-prefill.ts';
import type { DataValidator } from './data-validator.ts';
import type { FilingPayload } from './filing.ts';
import type {
  Catalogue,
  FilingType,
  FilingTypeMetadata,
  FilingTypeVersion,
  FilingTypeVersionMetadata,
} from './filing-type.ts';
import { filingType } from './filing-types.ts';
import { type JsonDocument, JsonSyntaxError, parseJsonDocument } from './json-document.ts';
import { mergePatch } from './merge-patch.ts';
import type { Prefill } from './prefill.ts';
import { checkAmountPaths, readPrefill, resolvePrefill } from './prefill-file.ts';
import { type CompiledRules, compileRules } from './rules/compile.ts';
import type { OtherTypes, OtherVersion } from './rules/others.ts';
import { extendedVersion, type LoadedRules, loadRules } from './rules/rule-file.ts';
import { ruleRunner } from './rules/run.ts';
import { checkUnused } from './rules/unused.ts';
import { SchemaCompiler } from './schema-compile.ts';
import type { SchemaNode } from './schema-node.ts';
import { readTypeFile } from './type-file.ts';
import { isUrgentPath } from './urgent.ts';
import { versionCheck } from './version-check.ts';

/** What is wrong with a file of `schemas/`. Lines count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: Text;
}

export type CatalogueResult =
  | { readonly catalogue: Catalogue; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly catalogue?: never };

/**
 * All filing types from the texts of the files under `schemas/`, by path relative to it (`tax/vat-general/type.json`).
 * Everything is checked: shape, versions, schemas, rules, and that each example has the verdict that its name declares.
 * Either all is well or there is no catalogue. Files under `calendar/` are not its matter.
 * @param alreadyChecked this very program has found nothing wrong with these very texts: then each version is compiled when
 *   the first filing needs it, which takes seconds off a start
 */
export function buildCatalogue(
  files: ReadonlyMap<string, string>,
  { alreadyChecked = false }: { readonly alreadyChecked?: boolean } = {},
): CatalogueResult {
  const loader = new Loader(files, alreadyChecked);
  const types = new Map<string, FilingType>();
  for (const folder of loader.typeFolders()) {
    const type = loader.type(folder);
    if (type === undefined) continue;
    if (types.has(type.metadata.type))
      loader.problem(`${folder}/type.json`, 1, `type ${type.metadata.type} is there twice`);
    types.set(type.metadata.type, type);
  }
  loader.complete(types);
  if (!alreadyChecked) loader.reportUnread();
  return loader.problems.length === 0 ? { catalogue: { types } } : { problems: loader.problems };
}

const TYPE_FILE = /^([a-z]+\/[a-z0-9-]+)\/type\.json$/;
const EXAMPLE_FILE = /^(?:(?:valid|compared)-[a-z0-9-]+|invalid-[A-Z0-9-]+)\.json$/;

interface VersionParts {
  readonly schema: SchemaNode;
  readonly validate: DataValidator;
  readonly rules: LoadedRules;
  readonly ruleDocument: JsonDocument;
}

/** A version that still lacks what needs the other types: rules that compare, and examples of them. */
interface PendingVersion {
  readonly path: string;
  readonly metadata: FilingTypeMetadata;
  readonly parts: VersionParts;
  readonly built: Omit<FilingTypeVersion, 'example'>;
  readonly comparison: Comparison;
  /** Where the finished version goes. */
  readonly versions: Map<string, FilingTypeVersion>;
}

class Loader {
  readonly problems: Problem[] = [];
  readonly #files: ReadonlyMap<string, string>;
  readonly #read = new Set<string>();
  readonly #schemas = new SchemaCompiler();
  readonly #alreadyChecked: boolean;
  readonly #types = new Map<string, OtherVersion[]>();
  readonly #pending: PendingVersion[] = [];

  constructor(files: ReadonlyMap<string, string>, alreadyChecked: boolean) {
    this.#files = files;
    this.#alreadyChecked = alreadyChecked;
  }

  problem(file: string, line: number, message: string): void {
    this.problems.push({ file, line, message: { zh: `申报类型定义有误：${message}`, en: message } });
  }

  typeFolders(): string[] {
    return [...this.#files.keys()].flatMap((path) => TYPE_FILE.exec(path)?.[1] ?? []).sort();
  }

  type(folder: string): FilingType | undefined {
    const document = this.#document(`${folder}/type.json`);
    if (document === undefined) return undefined;
    const metadata = readTypeFile(document, this.#reporter(document));
    if (metadata === undefined) return undefined;
    if (!folder.startsWith(`${metadata.agency}/`))
      this.problem(document.file, document.lineOf('/agency'), `agency ${metadata.agency} does not match the folder`);
    const versions = new Map<string, FilingTypeVersion>();
    const parts = new Map<string, VersionParts>();
    for (const version of metadata.versions) this.#version(folder, version, metadata, parts, versions);
    const { urgent } = metadata;
    for (const [version, { schema }] of urgent === undefined ? [] : parts) {
      if (!isUrgentPath(urgent as string, schema))
        this.problem(document.file, document.lineOf('/urgent'), `${urgent} is no true or false in version ${version}`);
    }
    for (const [version, { schema }] of parts)
      checkAmountPaths(metadata.amountDue ?? [], version, schema, this.#reporter(document));
    for (const [version, { schema }] of parts) checkSupplement(metadata, version, schema, this.#reporter(document));
    this.#types.set(
      metadata.type,
      metadata.versions.flatMap((version) => {
        const known = parts.get(version.version);
        return known === undefined ? [] : { metadata: version, schema: known.schema, let: known.rules.let };
      }),
    );
    return filingType(metadata, versions);
  }

  /** What needs all types: a rule may read the form of any. */
  complete(types: ReadonlyMap<string, FilingType>): void {
    for (const { path, metadata, parts, built, comparison, versions } of this.#pending) {
      const before = this.problems.length;
      if (!this.#alreadyChecked) {
        checkOthers(parts.ruleDocument, metadata, parts.schema, this.#types, this.#reporter(parts.ruleDocument));
        if (this.problems.length === before) comparison.prepare();
        checkUnused(parts.ruleDocument, parts.rules, this.#reporter(parts.ruleDocument));
      }
      if (this.problems.length > before) continue;
      const example = this.#alreadyChecked
        ? this.#firstExample(path)
        : checkExamples(
            { metadata, version: built, origins: parts.rules.origins, types, path },
            this.#examples(path),
            (file, line, message) => this.problem(file, line, message),
          );
      if (example === undefined) continue;
      versions.set(built.metadata.version, { ...built, example });
      if (!this.#alreadyChecked) this.#checkPrefill(path, metadata, built);
    }
  }

  /** Files that nothing reads are mistakes: a mistyped name would silently test nothing. */
  reportUnread(): void {
    for (const path of this.#files.keys()) {
      const isExample = EXAMPLE_FILE.test(path.slice(path.lastIndexOf('/') + 1));
      // Of a version that is wrong itself no example was read.
      if (isExample && !this.#isSound(path)) continue;
      if (!this.#read.has(path) && !path.startsWith('calendar/') && path.endsWith('.json'))
        this.problem(path, 1, 'no type or version uses this file');
    }
  }

  #isSound(example: string): boolean {
    const version = example.slice(0, example.lastIndexOf('/examples/'));
    return !this.problems.some(({ file }) => file.startsWith(`${version.slice(0, version.lastIndexOf('/'))}/`));
  }

  #version(
    folder: string,
    version: FilingTypeVersionMetadata,
    metadata: FilingTypeMetadata,
    parts: Map<string, VersionParts>,
    versions: Map<string, FilingTypeVersion>,
  ): void {
    const path = `${folder}/${version.version}`;
    const before = this.problems.length;
    const compiled = this.#parts(path, version.version, parts);
    if (compiled === undefined) return;
    parts.set(version.version, compiled);
    const { schema, rules } = compiled;
    const check = this.#check(path, version.version, compiled);
    if (this.problems.length > before) return;
    const { origins: _, ...ruleSet } = rules;
    const comparison = comparisonOf(rules, () => this.#compileRules(path, version.version, compiled, this.#types));
    const prefill = this.#prefill(folder, version.version, schema);
    const built = {
      ...{ metadata: version, schema, rules: rules.rules, ruleSet, check, compare: comparison.compare },
      ...(prefill === undefined ? {} : { prefill }),
    };
    // Without its example yet: examples of other types may hold filings of this one.
    versions.set(version.version, built as FilingTypeVersion);
    this.#pending.push({ path, metadata, parts: compiled, built, comparison, versions });
  }

  /** `prefill.json`, which a version may have. */
  #prefill(folder: string, version: string, schema: SchemaNode): Prefill | undefined {
    const find = (name: string): JsonDocument | undefined => {
      const file = `${folder}/${name}/prefill.json`;
      return this.#files.has(file) ? this.#document(file) : undefined;
    };
    const document = find(version);
    if (document === undefined) return undefined;
    if (this.#alreadyChecked) return resolvePrefill(document, find);
    return readPrefill(document, schema, find, this.#reporter(document));
  }

  #checkPrefill(path: string, metadata: FilingTypeMetadata, { prefill, ...version }: PendingVersion['built']): void {
    const document = prefill === undefined ? undefined : this.#document(`${path}/prefill.json`);
    if (prefill === undefined || document === undefined) return;
    const examples = this.#examples(path).filter(({ file }) => file.startsWith(`${path}/examples/valid-`));
    checkPrefill(metadata, version, prefill, examples, this.#reporter(document));
  }

  #check(path: string, version: string, parts: VersionParts): FilingTypeVersion['check'] {
    const compile = () =>
      versionCheck(parts.schema, parts.validate, ruleRunner(this.#compileRules(path, version, parts)));
    if (!this.#alreadyChecked) return compile();
    let compiled: FilingTypeVersion['check'] | undefined;
    return (payload, figures) => {
      compiled ??= compile();
      return compiled(payload, figures);
    };
  }

  /** @param types for the rules that compare, whose sums are reported with the others' */
  #compileRules(path: string, version: string, { rules, schema }: VersionParts, types?: OtherTypes): CompiledRules {
    return compileRules(
      rules,
      schema,
      (origin, pointer, message) =>
        this.problem(
          origin.document.file,
          origin.document.lineOf(origin.pointer + pointer),
          `${message} (in version ${version})`,
        ),
      (message) => types === undefined && this.problem(`${path}/rules.json`, 1, message),
      types,
    );
  }

  /** What checkExamples returns when it finds nothing wrong. */
  #firstExample(path: string): FilingPayload | undefined {
    const files = [...this.#files.keys()].sort();
    const first = files.find((file) => file.startsWith(`${path}/examples/valid-`));
    return first === undefined ? undefined : (this.#document(first)?.value as FilingPayload);
  }

  #parts(path: string, version: string, earlier: ReadonlyMap<string, VersionParts>): VersionParts | undefined {
    const schemaDocument = this.#document(`${path}/schema.json`);
    const ruleDocument = this.#document(`${path}/rules.json`);
    if (schemaDocument === undefined || ruleDocument === undefined) return undefined;
    const schema = this.#schema(schemaDocument, earlier);
    const baseName = extendedVersion(ruleDocument);
    const base = baseName === undefined ? undefined : earlier.get(baseName);
    if (baseName !== undefined && base === undefined) {
      this.problem(
        ruleDocument.file,
        ruleDocument.lineOf('/extends'),
        `version ${baseName} is not an earlier version of this type`,
      );
      return undefined;
    }
    const rules = loadRules(version, ruleDocument, base?.rules, this.#reporter(ruleDocument));
    const validate = schema === undefined ? undefined : this.#compileSchema(schema, schemaDocument);
    if (validate === undefined || rules === undefined) return undefined;
    return { schema: schema as SchemaNode, validate, rules, ruleDocument };
  }

  #compileSchema(schema: unknown, document: JsonDocument): DataValidator | undefined {
    if (!this.#alreadyChecked) return this.#schemas.compile(schema, this.#reporter(document));
    let compiled: DataValidator | undefined;
    return (data) => {
      compiled ??= this.#schemas.compileChecked(schema as SchemaNode);
      return compiled(data);
    };
  }

  /** A schema as written, or `{ "extends": "<earlier version>", "patch": <RFC 7396> }`. */
  #schema(document: JsonDocument, earlier: ReadonlyMap<string, VersionParts>): unknown {
    const baseName = extendedVersion(document);
    if (baseName === undefined) return document.value;
    const base = earlier.get(baseName)?.schema;
    if (base === undefined) {
      this.problem(
        document.file,
        document.lineOf('/extends'),
        `version ${baseName} is not an earlier version of this type`,
      );
      return undefined;
    }
    return mergePatch(base, (document.value as { readonly patch?: unknown }).patch ?? {});
  }

  #examples(path: string): JsonDocument[] {
    const folder = `${path}/examples/`;
    const found: JsonDocument[] = [];
    for (const file of [...this.#files.keys()].sort()) {
      if (!file.startsWith(folder)) continue;
      if (!EXAMPLE_FILE.test(file.slice(folder.length))) {
        this.problem(file, 1, 'an example is named valid-<word>.json or invalid-<RULE-ID>.json');
        this.#read.add(file);
        continue;
      }
      const document = this.#document(file);
      if (document !== undefined) found.push(document);
    }
    return found;
  }

  #document(file: string): JsonDocument | undefined {
    const text = this.#files.get(file);
    this.#read.add(file);
    if (text === undefined) {
      this.problem(file, 1, 'the file is missing');
      return undefined;
    }
    try {
      return parseJsonDocument(file, text);
    } catch (error) {
      if (!(error instanceof JsonSyntaxError)) throw error;
      this.problem(file, error.line, `not JSON: ${error.message}`);
      return undefined;
    }
  }

  #reporter(document: JsonDocument): (pointer: string, message: string) => void {
    return (pointer, message) =>
      this.problem(document.file, document.lineOf(pointer), pointer === '' ? message : `${pointer}: ${message}`);
  }
}
