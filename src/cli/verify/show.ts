import type { VerificationStep } from '../../client/client.ts';
import type { Terminal } from '../terminal.ts';
import { plain } from '../text.ts';
import { KIND_WORDS } from './documents.ts';
import type { Report } from './examine.ts';

/** Documents of a kind whose steps are explained; of the others only what fails. */
const EXPLAINED = 3;

/** Prints reports as they come, and keeps whether all of them held. */
export class Display {
  ok = true;
  readonly #terminal: Terminal;
  readonly #shown = new Map<Report['kind'], number>();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** `subject`: what a person calls it; by default the file. */
  show(report: Report, subject?: string): void {
    if (!report.ok) this.ok = false;
    const shown = this.#shown.get(report.kind) ?? 0;
    this.#shown.set(report.kind, shown + 1);
    const { name, kind, ok, steps, notes, result } = report;
    this.#terminal.result({ file: name, kind, ...result, ok, steps, notes }, () => [
      ...steps.flatMap((step) => this.#stepLines(step, shown < EXPLAINED || !step.ok)),
      ...notes.map((note) => this.#terminal.paint('yellow', `  ! ${this.#terminal.say(note)}`)),
      ...this.#verdict(report, subject ?? name),
    ]);
  }

  #stepLines({ ok, text, reason, compared }: VerificationStep, isExplained: boolean): string[] {
    const { paint } = this.#terminal;
    const head = `  ${ok ? paint('green', '✓') : paint('red', '✗')} ${this.#terminal.say(text)}`;
    if (!isExplained) return [head];
    const values =
      compared === undefined
        ? []
        : [
            { label: { zh: '算得', en: 'computed' }, value: compared.computed },
            { label: { zh: '应为', en: 'compared with' }, value: compared.stated },
          ].map(({ label, value }) => paint('dim', `      ${this.#terminal.say(label)}: ${plain(value)}`));
    return [head, paint('dim', `    ${this.#terminal.say(reason)}`), ...values];
  }

  #verdict({ kind, ok, facts }: Report, subject: string): string[] {
    const name = plain(subject);
    const { paint } = this.#terminal;
    const what =
      kind === 'together'
        ? { zh: '各文件相互', en: 'the documents' }
        : { zh: `${name}：${KIND_WORDS[kind].zh}`, en: `${name}: the ${KIND_WORDS[kind].en}` };
    const said =
      kind === 'together'
        ? ok
          ? { zh: `${what.zh}一致`, en: `${what.en} agree with each other` }
          : { zh: `${what.zh}矛盾`, en: `${what.en} do NOT agree with each other` }
        : ok
          ? { zh: `${what.zh}有效`, en: `${what.en} is valid` }
          : { zh: `${what.zh}无效`, en: `${what.en} is NOT valid` };
    const verdict = paint(ok ? 'green' : 'red', this.#terminal.say(said));
    return ok && facts.length > 0 ? [verdict, `  ${facts.map(plain).join('  ')}`] : [verdict];
  }
}
