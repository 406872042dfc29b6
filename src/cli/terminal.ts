import type { Problem, ShenbaoError } from '../client/client.ts';
import type { Violation } from '../std/errors.ts';
import type { Language, Text } from '../std/text.ts';
import { type Paint, painter, plain, table } from './text.ts';

export interface TerminalOptions {
  readonly language: Language;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly noColor: boolean;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Results go to stdout (with `--json` nothing but JSON, one value a line), everything about the way there to stderr. */
export class Terminal {
  readonly language: Language;
  readonly json: boolean;
  readonly paint: Paint;
  readonly #options: TerminalOptions;
  readonly #paintError: Paint;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.language = options.language;
    this.json = options.json;
    this.paint = painter(options.stdout.isTTY === true && !options.noColor);
    this.#paintError = painter(options.stderr.isTTY === true && !options.noColor);
  }

  say(text: Text): string {
    return text[this.language];
  }

  /** A result as JSON with `--json`, as lines otherwise. */
  result(value: unknown, lines: () => readonly string[]): void {
    if (this.json) this.#options.stdout.write(`${JSON.stringify(value)}\n`);
    else for (const line of lines()) this.#options.stdout.write(`${line}\n`);
  }

  /** A document for another program: its bytes and nothing else, with a line end only where a person looks on. */
  document(value: unknown, text: string): void {
    if (this.json) this.result(value, () => []);
    else this.#options.stdout.write(this.#options.stdout.isTTY === true ? `${text}\n` : text);
  }

  /** A line for people, unless `--quiet` or `--json`. */
  info(text: Text): void {
    if (!this.#options.quiet && !this.json) this.#options.stdout.write(`${this.say(text)}\n`);
  }

  /** Something worth knowing on the way. */
  note(text: Text): void {
    if (!this.#options.quiet) this.#options.stderr.write(`${this.#paintError('yellow', this.say(text))}\n`);
  }

  /** What makes the command fail; also with `--quiet`. */
  fail(text: Text): void {
    this.#options.stderr.write(`${this.#paintError('red', `shenbao: ${this.say(text)}`)}\n`);
  }

  /** The stream for a progress bar; undefined where none belongs. */
  progressStream(): NodeJS.WriteStream | undefined {
    const { quiet, stderr } = this.#options;
    return quiet || this.json || stderr.isTTY !== true ? undefined : stderr;
  }

  /** An error of the gateway's with everything that it found. */
  problem(error: ShenbaoError, name?: string): void {
    const problem = error.problem ?? { code: error.code, status: error.status, detail: error.message };
    this.result({ ...(name === undefined ? {} : { name }), problem }, () => this.problemLines(error, name));
  }

  problemLines(error: ShenbaoError, name?: string): string[] {
    const head = `${name === undefined ? '' : `${name}: `}${plain(error.message)} (${error.code})`;
    const request =
      error.requestId === undefined ? [] : [this.paint('dim', `  X-Request-Id: ${plain(error.requestId)}`)];
    const more = moreOf(error.problem);
    const rest = more === 0 ? [] : [`  ${this.say({ zh: `另有 ${more} 条`, en: `and ${more} more` })}`];
    return [
      this.paint('red', head),
      ...this.violationLines(error.errors),
      ...rest,
      ...extras(error.problem),
      ...request,
    ];
  }

  /** Pointer, line, rule, message: one finding a line. */
  violationLines(violations: readonly Violation[]): string[] {
    const lineWord = ({ file }: Violation): string => this.say({ zh: file === undefined ? '栏次' : '行', en: 'line' });
    const rows = violations.map((violation) => [
      `  ${violation.severity === 'warning' ? this.paint('yellow', '!') : this.paint('red', '✗')}`,
      plain(violation.file ?? (violation.pointer === '' ? '/' : violation.pointer)),
      violation.line === undefined ? '' : `${lineWord(violation)} ${plain(violation.line)}`,
      plain(violation.rule ?? violation.code),
      plain(violation.message[this.language]),
    ]);
    return table(rows);
  }
}

function moreOf(problem: Problem | undefined): number {
  return typeof problem?.more === 'number' ? problem.more : 0;
}

const STANDARD = ['type', 'title', 'status', 'detail', 'instance', 'code', 'retryable', 'errors', 'more'];

/** Extension members such as `existing` and `digest` of a conflict. */
function extras(problem: Problem | undefined): string[] {
  const members = Object.entries(problem ?? {}).filter(([name]) => !STANDARD.includes(name));
  return members.map(
    ([name, value]) => `  ${name}: ${plain(typeof value === 'string' ? value : JSON.stringify(value))}`,
  );
}
