import { setImmediate as turn } from 'node:timers/promises';
import { buildCatalogue } from '../domain/catalogue.ts';
import type { Catalogue, FilingType } from '../domain/filing-type.ts';
import { assert } from '../std/errors.ts';
import { difference, readTypes, type SchemaTexts, type TypeFolder, typeFolders } from './contents.ts';

/** Sound texts, numbered as their process has taken them over. */
export interface Edition {
  readonly n: number;
  readonly texts: SchemaTexts;
}

interface State extends Edition {
  readonly catalogue: Catalogue;
}

/**
 * The catalogue that this process files with. A filing takes it once and keeps it to its end, whatever is adopted
 * meanwhile.
 */
export class RunningCatalogue {
  #state: State;
  #adopting: Promise<void> = Promise.resolve();

  private constructor(state: State) {
    this.#state = state;
  }

  static async of(edition: Edition): Promise<RunningCatalogue> {
    const nothing: State = { n: 0, texts: new Map(), catalogue: { types: new Map() } };
    return new RunningCatalogue(await next(nothing, edition));
  }

  get catalogue(): Catalogue {
    return this.#state.catalogue;
  }

  get texts(): SchemaTexts {
    return this.#state.texts;
  }

  /** One after the other; an edition older than what runs is left out. */
  adopt(edition: Edition): Promise<void> {
    const adopted = this.#adopting.then(async () => {
      if (edition.n > this.#state.n) this.#state = await next(this.#state, edition);
    });
    this.#adopting = adopted.catch(() => undefined);
    return adopted;
  }
}

/** Types whose texts are the same, and those of the types that they read, stay the same objects with all that they have compiled. */
async function next(state: State, { n, texts }: Edition): Promise<State> {
  const { added, changed } = difference(state.texts, texts);
  const touched = new Set([...added, ...changed]);
  const isKept = (type: FilingType): boolean =>
    !touched.has(type.metadata.type) && !readBy(type).some((other) => touched.has(other));
  const folders = typeFolders(texts);
  const types = new Map<string, FilingType>();
  for (const name of [...folders.keys()].sort()) {
    const before = state.catalogue.types.get(name);
    const isSame = before !== undefined && isKept(before);
    types.set(name, isSame ? before : build(name, folders, texts));
    // Reading a large type takes tens of milliseconds; filings go on in between.
    if (!isSame) await turn();
  }
  return { n, texts, catalogue: { types } };
}

/** The types whose forms the rules of this one read. */
function readBy(type: FilingType): string[] {
  return [...type.versions.values()].flatMap(({ ruleSet }) => Object.values(ruleSet.others).map((other) => other.type));
}

function build(type: string, folders: ReadonlyMap<string, TypeFolder>, texts: SchemaTexts): FilingType {
  const own = textsOf(texts, folders.get(type));
  const others = readTypes(texts, folders.get(type)?.folder ?? '').flatMap((other) =>
    textsOf(texts, folders.get(other)),
  );
  const all = new Map([...own, ...others]);
  const built = buildCatalogue(all, { alreadyChecked: true }).catalogue?.types.get(type);
  assert(built !== undefined, 'texts that were checked make a type');
  return built;
}

function textsOf(texts: SchemaTexts, folder: TypeFolder | undefined): [string, string][] {
  return folder === undefined ? [] : [...texts].filter(([file]) => file.startsWith(`${folder.folder}/`));
}
