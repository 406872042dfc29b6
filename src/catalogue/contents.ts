import type { Problem } from '../domain/catalogue.ts';
import type { FilingTypeMetadata, RuleSet } from '../domain/filing-type.ts';
import { parseJsonDocument } from '../domain/json-document.ts';

/** The texts of the JSON files below `schemas/`, by path relative to it. */
export type SchemaTexts = ReadonlyMap<string, string>;

/** One type in its folder. */
export interface TypeFolder {
  readonly type: string;
  /** Such as `tax/vat-general`. */
  readonly folder: string;
  readonly versions: readonly string[];
}

const TYPE_FILE = /^([a-z]+\/[a-z0-9-]+)\/type\.json$/;

/** The folders of types, whatever is in them. */
function foldersIn(texts: SchemaTexts): string[] {
  return [...texts.keys()].flatMap((file) => TYPE_FILE.exec(file)?.[1] ?? []);
}

/** What types sound texts hold, by name. */
export function typeFolders(texts: SchemaTexts): Map<string, TypeFolder> {
  const found = new Map<string, TypeFolder>();
  for (const [file, text] of texts) {
    const folder = TYPE_FILE.exec(file)?.[1];
    if (folder === undefined) continue;
    const { type, versions } = JSON.parse(text) as FilingTypeMetadata;
    found.set(type, { type, folder, versions: versions.map(({ version }) => version) });
  }
  return found;
}

/** The types that the rules of a folder read beside their own; of an unsound file none: its faults are found elsewhere. */
export function readTypes(texts: SchemaTexts, folder: string): string[] {
  return [...texts].flatMap(([file, text]) => {
    if (!file.startsWith(`${folder}/`) || !file.endsWith('/rules.json')) return [];
    try {
      const { others = {} } = JSON.parse(text) as Partial<RuleSet>;
      return Object.values(others).map(({ type }) => type);
    } catch {
      return [];
    }
  });
}

/**
 * What of `after` has to be checked when `before` was sound: the types that have changed, those that read them, what either
 * reads, and all that belongs to no type.
 */
export function textsToCheck(before: SchemaTexts, after: SchemaTexts): SchemaTexts {
  const files = changedFiles(before, after);
  const isChanged = (folder: string): boolean => files.some((file) => file.startsWith(`${folder}/`));
  const known = [...typeFolders(before).values()];
  const folders = foldersIn(after);
  const changedTypes = new Set(known.filter(({ folder }) => isChanged(folder)).map(({ type }) => type));
  const checked = folders.filter(
    (folder) => isChanged(folder) || readTypes(after, folder).some((type) => changedTypes.has(type)),
  );
  const read = new Set(checked.flatMap((folder) => readTypes(after, folder)));
  const context = known.filter(({ type }) => read.has(type)).map(({ folder }) => folder);
  const left = folders.filter((folder) => !checked.includes(folder) && !context.includes(folder));
  return new Map([...after].filter(([file]) => !left.some((folder) => file.startsWith(`${folder}/`))));
}

/** Types that two folders of sound texts hold. */
export function duplicates(texts: SchemaTexts): Problem[] {
  const folders = new Map([...typeFolders(texts)].map(([type, { folder }]) => [folder, type]));
  const doubled = foldersIn(texts).filter((folder) => !folders.has(folder));
  return doubled.map((folder) => {
    const { type } = JSON.parse(texts.get(`${folder}/type.json`) ?? '') as FilingTypeMetadata;
    return {
      file: `${folder}/type.json`,
      line: 1,
      message: { zh: `申报类型 ${type} 出现了两次。`, en: `type ${type} is there twice` },
    };
  });
}

/** What one reload changes, by names of types. */
export interface Difference {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  /** Files outside all types, such as those of the calendar. */
  readonly otherFiles: readonly string[];
}

export function difference(before: SchemaTexts, after: SchemaTexts): Difference {
  const old = typeFolders(before);
  const types = [...typeFolders(after).values()];
  const files = changedFiles(before, after);
  const isTouched = ({ type, folder }: TypeFolder): boolean =>
    old.get(type)?.folder !== folder || files.some((file) => file.startsWith(`${folder}/`));
  return {
    added: types.filter(({ type }) => !old.has(type)).map(({ type }) => type),
    changed: types.filter((each) => old.has(each.type) && isTouched(each)).map(({ type }) => type),
    otherFiles: files.filter((file) => !types.some(({ folder }) => file.startsWith(`${folder}/`))),
  };
}

export function changedFiles(before: SchemaTexts, after: SchemaTexts): string[] {
  const all = new Set([...before.keys(), ...after.keys()]);
  return [...all].filter((file) => before.get(file) !== after.get(file)).sort();
}

/** Types and versions that were there and are not any more: filings of them exist, and must stay readable and correctable. */
export function disappearances(before: SchemaTexts, after: SchemaTexts): Problem[] {
  const now = typeFolders(after);
  return [...typeFolders(before).values()].flatMap(({ type, folder, versions }) => {
    const found = now.get(type);
    if (found === undefined) return [gone(`${folder}/type.json`, 1, { zh: `申报类型 ${type}`, en: `type ${type}` })];
    const file = `${found.folder}/type.json`;
    const line = parseJsonDocument(file, after.get(file) ?? '').lineOf('/versions');
    return versions
      .filter((version) => !found.versions.includes(version))
      .map((version) => gone(file, line, { zh: `${type} 的版本 ${version}`, en: `version ${version} of ${type}` }));
  });
}

function gone(file: string, line: number, what: Problem['message']): Problem {
  return {
    file,
    line,
    message: {
      zh: `${what.zh} 不能删除：可能已有按它受理的申报。要停止受理，请写明最后有效日（to）。`,
      en: `${what.en} may not be removed: filings of it may stand. To end it, give its last day (to).`,
    },
  };
}
