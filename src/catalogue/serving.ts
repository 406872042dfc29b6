import type { Catalogue } from '../domain/filing-type.ts';
import { askPrimary, onNews } from '../ops/cluster.ts';
import type { Logger, Metrics } from '../std/telemetry.ts';
import type { SchemaTexts } from './contents.ts';
import { type Edition, RunningCatalogue } from './running.ts';
import { CatalogueSource, type ReloadOutcome } from './source.ts';

/** A reload checks for some seconds, and may have to wait for one that is under way. */
const PATIENCE_MS = 300_000;

/** In the change feed of identity: every process is to look at its folder again. */
export const RELOAD_SUBJECT = 'catalogue:reload';
/** There: changes may have been missed. */
const ANYTHING = '*';

type Outcome = ReloadOutcome['outcome'];
const OUTCOMES: readonly Outcome[] = ['adopted', 'unchanged', 'refused', 'failed'];

/** An edition as it goes to a worker. */
type Posted = Omit<Edition, 'texts'> & { readonly texts: readonly (readonly [string, string])[] };
type News = { readonly edition: Posted } | { readonly outcome: Outcome };
type Question = 'edition' | 'reload';

/** The catalogue of a process that serves, and how to have its folder looked at again. */
export class ServingCatalogue {
  readonly #running: RunningCatalogue;
  readonly #reload: () => Promise<ReloadOutcome>;
  readonly #log: Logger;
  readonly #listeners: ((texts: SchemaTexts) => void)[] = [];
  #metrics: Metrics | undefined;
  #isOutdated = false;
  #isFollowing = false;

  constructor(running: RunningCatalogue, reload: () => Promise<ReloadOutcome>, log: Logger) {
    this.#running = running;
    this.#reload = reload;
    this.#log = log;
  }

  get current(): Catalogue {
    return this.#running.catalogue;
  }

  /** Never rejects when this process serves alone; a worker's rejects when its primary is gone. */
  reload(): Promise<ReloadOutcome> {
    return this.#reload();
  }

  /** Subjects of the change feed: a reload that was announced anywhere happens here too. */
  heard(subjects: readonly string[]): void {
    // The feed begins by saying that anything may have changed; the folder has just been read.
    const mayHaveMissed = subjects.includes(ANYTHING) && this.#isFollowing;
    this.#isFollowing ||= subjects.includes(ANYTHING);
    if (!mayHaveMissed && !subjects.includes(RELOAD_SUBJECT)) return;
    this.#reload().catch((error: unknown) => this.#log.warn({ error }, 'a reload that was announced did not happen'));
  }

  /** For what else is kept under `schemas/`: called now, and with every edition that comes into force. Must not throw. */
  onTexts(listener: (texts: SchemaTexts) => void): void {
    this.#listeners.push(listener);
    listener(this.#running.texts);
  }

  /** Counts reloads; the gauge is 1 while the folder holds what could not be taken over. */
  measure(metrics: Metrics): void {
    this.#metrics = metrics;
    for (const outcome of OUTCOMES) metrics.count('catalogue_reloads_total', { outcome }, 0);
    metrics.gauge('catalogue_outdated', () => (this.#isOutdated ? 1 : 0));
  }

  async adopt(edition: Edition): Promise<void> {
    await this.#running.adopt(edition);
    for (const listener of this.#listeners) listener(this.#running.texts);
  }

  note(outcome: Outcome): void {
    this.#isOutdated = outcome === 'refused' || outcome === 'failed';
    this.#metrics?.count('catalogue_reloads_total', { outcome });
  }
}

/** In a process that serves alone. */
export async function openCatalogue(log: Logger): Promise<ServingCatalogue> {
  let serving: ServingCatalogue | undefined;
  const source = await CatalogueSource.open({
    log,
    publish: (edition) => serving?.adopt(edition),
    told: (outcome) => serving?.note(outcome),
  });
  serving = new ServingCatalogue(await RunningCatalogue.of(source.edition), () => source.reload(), log);
  return serving;
}

/** What the primary keeps for its workers: they file with its edition, and it alone looks at the folder. */
export interface LeadingCatalogue {
  reload(): Promise<ReloadOutcome>;
  /** For `WorkersOptions.onAsk`. */
  answer(question: unknown): Promise<unknown>;
}

export async function leadCatalogue(log: Logger, tell: (news: News) => void): Promise<LeadingCatalogue> {
  const source = await CatalogueSource.open({
    log,
    publish: (edition) => tell({ edition: posted(edition) }),
    told: (outcome) => tell({ outcome }),
  });
  return {
    reload: () => source.reload(),
    answer: async (question) => ((question as Question) === 'reload' ? source.reload() : posted(source.edition)),
  };
}

/** In a worker, before it serves. */
export async function followCatalogue(log: Logger): Promise<ServingCatalogue> {
  let serving: ServingCatalogue | undefined;
  // Heard before the first edition is there: that one is newer, or is adopted after it.
  const early: News[] = [];
  const hear = (news: News): void => {
    if (serving === undefined) early.push(news);
    else if ('outcome' in news) serving.note(news.outcome);
    else
      serving
        .adopt(received(news.edition))
        .catch((error: unknown) => log.error({ error }, 'the filing types of the primary could not be taken over'));
  };
  onNews((news) => hear(news as News));
  const first = received(await askPrimary<Posted>('edition' satisfies Question, PATIENCE_MS));
  const reload = (): Promise<ReloadOutcome> => askPrimary('reload' satisfies Question, PATIENCE_MS);
  serving = new ServingCatalogue(await RunningCatalogue.of(first), reload, log);
  for (const news of early) hear(news);
  return serving;
}

function posted({ n, texts }: Edition): Posted {
  return { n, texts: [...texts] };
}

function received({ n, texts }: Posted): Edition {
  return { n, texts: new Map(texts) };
}
