import { relative } from 'node:path';
import type { Problem } from '../domain/catalogue.ts';
import { areSchemasChecked, programMark, readSchemaFiles, SCHEMAS_FOLDER } from '../ops/schemas.ts';
import { StartError } from '../std/start-error.ts';
import type { Logger } from '../std/telemetry.ts';
import { checkInThread } from './check-thread.ts';
import {
  changedFiles,
  type Difference,
  difference,
  disappearances,
  duplicates,
  type SchemaTexts,
  textsToCheck,
  typeFolders,
} from './contents.ts';
import type { Edition } from './running.ts';

/** What came of looking at the folder again. Survives JSON. */
export type ReloadOutcome =
  | ({ readonly outcome: 'adopted' | 'unchanged' } & Difference & {
        /** What is in force now. */
        readonly types: number;
        readonly versions: number;
      })
  | { readonly outcome: 'refused'; readonly problems: readonly Problem[] }
  /** The check did not come to an end; why is in the log. */
  | { readonly outcome: 'failed' };

export interface SourceOptions {
  readonly log: Logger;
  /** Puts an edition into force, wherever it has to be; when this fails, nothing has changed. */
  readonly publish: (edition: Edition) => Promise<void> | void;
  /** Told the outcome of every reload. */
  readonly told?: (outcome: ReloadOutcome['outcome']) => void;
  readonly read?: () => Promise<SchemaTexts>;
  readonly check?: (texts: SchemaTexts) => Promise<readonly Problem[]>;
}

/** A bad folder can have faults by the thousand; the log gets the first. */
const MAX_LOGGED = 20;

/** The texts of `schemas/` as this gateway has them in force, and the one place where they are looked at again. */
export class CatalogueSource {
  readonly #options: SourceOptions;
  /** Of the program that this process has loaded. */
  readonly #mark: string;
  #edition: Edition;
  #underway: Promise<ReloadOutcome> | undefined;
  #waiting: Promise<ReloadOutcome> | undefined;

  private constructor(edition: Edition, options: SourceOptions, mark: string) {
    this.#edition = edition;
    this.#mark = mark;
    this.#options = options;
  }

  /** Reads and checks the folder; throws a StartError that names every fault. */
  static async open(options: SourceOptions): Promise<CatalogueSource> {
    const texts = await (options.read ?? readSchemaFiles)();
    const problems = (await areSchemasChecked(texts)) ? [] : await (options.check ?? checkInThread)(texts);
    if (problems.length === 0) return new CatalogueSource({ n: 1, texts }, options, await programMark());
    const list = (language: 'zh' | 'en') =>
      problems.map((p) => `  schemas/${p.file}:${p.line} ${p.message[language]}`).join('\n');
    throw new StartError({
      zh: `申报类型有 ${problems.length} 处错误：\n${list('zh')}`,
      en: `The filing types have ${problems.length} faults:\n${list('en')}`,
    });
  }

  get edition(): Edition {
    return this.#edition;
  }

  /**
   * Reads the folder, checks it, and puts it into force when nothing is wrong; otherwise all stays as it is. Never rejects. Whoever
   * asks while a check is under way gets the next one, since that one may have read files that have changed again.
   */
  reload(): Promise<ReloadOutcome> {
    if (this.#underway === undefined) return this.#begin();
    this.#waiting ??= this.#underway.then(() => {
      this.#waiting = undefined;
      return this.#begin();
    });
    return this.#waiting;
  }

  #begin(): Promise<ReloadOutcome> {
    const { log, told } = this.#options;
    const attempt = this.#attempt()
      .catch((error: unknown): ReloadOutcome => {
        log.error({ error }, 'the filing types could not be checked: those in force stay');
        return { outcome: 'failed' };
      })
      .then((outcome) => {
        this.#underway = undefined;
        tell(log, outcome);
        told?.(outcome.outcome);
        return outcome;
      });
    this.#underway = attempt;
    return attempt;
  }

  async #attempt(): Promise<ReloadOutcome> {
    const before = this.#edition.texts;
    const texts = await this.#readAgain();
    if ('file' in texts) return { outcome: 'refused', problems: [texts] };
    const isSame = changedFiles(before, texts).length === 0;
    if (!isSame) {
      const problems = await this.#findProblems(before, texts);
      if (problems.length > 0) return { outcome: 'refused', problems };
      const edition = { n: this.#edition.n + 1, texts };
      await this.#options.publish(edition);
      this.#edition = edition;
    }
    const types = [...typeFolders(texts).values()];
    const versions = types.reduce((sum, type) => sum + type.versions.length, 0);
    const outcome = isSame ? 'unchanged' : 'adopted';
    return { outcome, ...difference(before, texts), types: types.length, versions };
  }

  async #findProblems(before: SchemaTexts, texts: SchemaTexts): Promise<readonly Problem[]> {
    // Another program may understand other things by the same texts.
    if ((await programMark()) !== this.#mark) return [REBUILT];
    const problems = await (this.#options.check ?? checkInThread)(textsToCheck(before, texts));
    return problems.length > 0 ? problems : [...duplicates(texts), ...disappearances(before, texts)];
  }

  /** A folder that is not there, or not readable, is a fault of the folder. */
  async #readAgain(): Promise<SchemaTexts | Problem> {
    try {
      return await (this.#options.read ?? readSchemaFiles)();
    } catch (error) {
      const problem = folderProblem(error);
      if (problem === undefined) throw error;
      return problem;
    }
  }
}

const REBUILT: Problem = {
  file: '',
  line: 1,
  message: {
    zh: '网关启动后程序已重新编译：请重新启动网关。',
    en: 'The program was built anew since the gateway started: restart the gateway.',
  },
};

function folderProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const { code } = error;
  const path = 'path' in error && typeof error.path === 'string' ? error.path : SCHEMAS_FOLDER;
  return {
    file: relative(SCHEMAS_FOLDER, path),
    line: 1,
    message: { zh: `无法读取（${code}）。`, en: `It cannot be read (${code}).` },
  };
}

function tell(log: Logger, result: ReloadOutcome): void {
  if (result.outcome === 'failed') return;
  if (result.outcome === 'refused') {
    const faults = result.problems
      .slice(0, MAX_LOGGED)
      .map(({ file, line, message }) => `schemas/${file}:${line} ${message.en}`);
    log.error({ count: result.problems.length, faults }, 'the filing types are faulty: those in force stay');
    return;
  }
  const { outcome, ...report } = result;
  if (outcome === 'unchanged') log.debug(report, 'the filing types are as they were');
  else log.info(report, 'the filing types were reloaded');
}
