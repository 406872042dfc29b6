import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type ShenbaoClient, ShenbaoError, type Submitted } from '../../client/client.ts';
import { type Command, numberOption, type OptionValues, textOption } from '../command.ts';
import { mapConcurrent } from '../concurrent.ts';
import { type CliContext, connect, requireKey } from '../context.ts';
import { findSources, parseDocument, readDocuments, type SourceDocument } from '../documents.ts';
import { EXIT, type ExitCode, exitCodeOf } from '../exit.ts';
import { Journal } from '../journal.ts';
import { Progress } from '../progress.ts';
import { plain } from '../text.ts';

export const submit: Command = {
  name: 'submit',
  args: '<inputs...>',
  summary: { zh: '提交申报：文件、文件夹或 NDJSON', en: 'file: documents, folders or NDJSON' },
  details: {
    zh: '未签名的 JSON 用 --key 签名；JWS 原样提交。文件夹和 NDJSON 旁边留有日志（含回执），中断后再次运行即可接着提交。重复提交没有害处：网关退回原来的回执。',
    en: 'Unsigned JSON is signed with --key; a JWS goes as it is. Beside folders and NDJSON a journal with the receipts is kept: after an interruption, run the same command again. Submitting twice does no harm: the gateway answers with the original receipt.',
  },
  options: [
    {
      flags: '--parallel <n>',
      text: { zh: '同时提交的份数', en: 'filings on the way at a time' },
      fallback: '16',
      range: [1, 256],
    },
    { flags: '--state <file>', text: { zh: '日志文件', en: 'the journal’s file' } },
  ],
  async run(ctx, inputs, options) {
    const run = new SubmitRun(ctx, await connect(ctx), await Journal.open(await journalFile(inputs, options)));
    try {
      return await run.all(inputs, numberOption(options, 'parallel'));
    } finally {
      await run.close();
    }
  },
};

/** Beside the input when there is one folder or NDJSON file; a single document needs no journal. */
async function journalFile(inputs: readonly string[], options: OptionValues): Promise<string | undefined> {
  const given = textOption(options, 'state');
  const [input] = inputs;
  if (given !== undefined || input === undefined || input === '-' || inputs.length > 1) return given;
  const isFolder = await stat(input).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return path.join(input, '.shenbao.journal');
  return /\.(ndjson|jsonl)$/i.test(input) ? `${input}.journal` : undefined;
}

type Outcome =
  | { readonly kind: 'accepted'; readonly submitted: Submitted }
  | { readonly kind: 'known'; readonly id: string }
  | { readonly kind: 'refused'; readonly error: ShenbaoError }
  | { readonly kind: 'stopped' };

class SubmitRun {
  readonly #ctx: CliContext;
  readonly #client: ShenbaoClient;
  readonly #journal: Journal;
  readonly #progress: Progress;
  readonly #counts = { accepted: 0, replayed: 0, known: 0, refused: 0 };
  #unreachable: ShenbaoError | undefined;
  #readBytes = 0;

  constructor(ctx: CliContext, client: ShenbaoClient, journal: Journal) {
    this.#ctx = ctx;
    this.#client = client;
    this.#journal = journal;
    this.#progress = new Progress(ctx.terminal.progressStream(), () => ctx.clock.monotonic());
  }

  async all(inputs: readonly string[], parallel: number): Promise<ExitCode> {
    const begun = this.#ctx.clock.monotonic();
    const sources = await findSources(inputs);
    let shown = 0;
    for await (const { document, outcome } of mapConcurrent(this.#documents(sources), parallel, (document) =>
      this.#one(document),
    )) {
      this.#count(outcome);
      if (this.#shows(outcome, shown)) {
        shown++;
        this.#progress.clear();
        this.#show(document, outcome);
      }
      const share = sources.totalBytes === 0 ? undefined : this.#readBytes / sources.totalBytes;
      this.#progress.draw(share, this.#summaryText());
    }
    this.#progress.clear();
    return this.#finish((this.#ctx.clock.monotonic() - begun) / 1000);
  }

  async close(): Promise<void> {
    this.#progress.clear();
    await this.#journal.close();
  }

  async *#documents(sources: Parameters<typeof readDocuments>[0]): AsyncGenerator<SourceDocument> {
    for await (const document of readDocuments(sources)) {
      if (this.#ctx.signal.aborted || this.#unreachable !== undefined) return;
      this.#readBytes += document.bytes.length + 1;
      yield document;
    }
  }

  async #one(document: SourceDocument): Promise<{ document: SourceDocument; outcome: Outcome }> {
    const key = Journal.key(document.bytes);
    const known = this.#journal.accepted(key);
    if (known !== undefined) return { document, outcome: { kind: 'known', id: known } };
    try {
      const submitted = await this.#submit(document.bytes);
      await this.#journal.add(key, document.name, submitted.filing);
      return { document, outcome: { kind: 'accepted', submitted } };
    } catch (error) {
      if (!(error instanceof ShenbaoError)) throw error;
      const code = exitCodeOf(error);
      if (code === EXIT.refused) return { document, outcome: { kind: 'refused', error } };
      if (code === EXIT.usage) throw error;
      this.#unreachable ??= error;
      return { document, outcome: { kind: 'stopped' } };
    }
  }

  async #submit(bytes: Uint8Array): Promise<Submitted> {
    const parsed = parseDocument(bytes);
    if (parsed.kind === 'unreadable') throw new ShenbaoError('malformed-json', this.#ctx.terminal.say(parsed.reason));
    if (parsed.kind === 'jws') return this.#client.submit(parsed.content);
    await requireKey(this.#ctx);
    return this.#client.submit(parsed.payload);
  }

  #count(outcome: Outcome): void {
    if (outcome.kind === 'stopped') return;
    if (outcome.kind === 'accepted' && outcome.submitted.replayed) this.#counts.replayed++;
    else this.#counts[outcome.kind]++;
  }

  /** Every refusal counts; of what went well the first few are enough for people, and all of it for programs. */
  #shows(outcome: Outcome, shown: number): boolean {
    if (outcome.kind === 'refused') return true;
    return outcome.kind === 'accepted' && (this.#ctx.terminal.json || shown < 10);
  }

  #show({ name }: SourceDocument, outcome: Outcome): void {
    const { terminal } = this.#ctx;
    if (outcome.kind === 'refused') terminal.problem(outcome.error, name);
    if (outcome.kind !== 'accepted') return;
    const { filing, replayed } = outcome.submitted;
    const word = replayed
      ? { zh: '此前已受理，原回执', en: 'had it already, original receipt' }
      : { zh: '已受理', en: 'filed' };
    const late = filing.late ? ` ${terminal.paint('yellow', terminal.say({ zh: '（逾期）', en: '(late)' }))}` : '';
    terminal.result({ name, replayed, filing }, () => [
      `${terminal.paint('green', '✓')} ${name}  ${terminal.paint('bold', plain(filing.id))}  ${terminal.say(word)}  ${filing.receivedAt}${late}`,
      ...terminal.violationLines(filing.warnings),
    ]);
  }

  #summaryText(): string {
    const { accepted, replayed, known, refused } = this.#counts;
    return this.#ctx.terminal.say({
      zh: `受理 ${accepted}，此前已受理 ${replayed + known}，退回 ${refused}`,
      en: `${accepted} filed, ${replayed + known} had been filed, ${refused} refused`,
    });
  }

  #finish(seconds: number): ExitCode {
    const { terminal, signal } = this.#ctx;
    const isInterrupted = signal.aborted || this.#unreachable !== undefined;
    const summary = { ...this.#counts, seconds: Number(seconds.toFixed(3)), complete: !isInterrupted };
    terminal.result({ summary }, () => [`${this.#summaryText()}  ${seconds.toFixed(1)} s`]);
    if (this.#unreachable !== undefined) throw this.#unreachable;
    if (signal.aborted) return EXIT.unreachable;
    return this.#counts.refused === 0 ? EXIT.done : EXIT.refused;
  }
}
