import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';

/** A process that helps a bench: gets its setup as its argument and messages, and reports events. */
export class Helper<Report extends { readonly event: string }> {
  readonly #child: ChildProcess;
  readonly #name: string;
  /** The newest report of each event, for those who ask later. */
  readonly #heard = new Map<string, Report>();
  readonly #waiting = new Map<string, (report: Report) => void>();
  readonly #failed: Promise<never>;
  #listener: ((report: Report) => void) | undefined;

  private constructor(program: string, setup: object) {
    this.#name = path.basename(program);
    this.#child = fork(program, [JSON.stringify(setup)], { execArgv: ['--import', 'tsx'] });
    this.#failed = new Promise((_, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => reject(new Error(`${this.#name} ended with ${code ?? signal}`)));
    });
    // Whoever waits for a report hears of it; nobody else needs to.
    this.#failed.catch(() => {});
    this.#child.on('message', (report: Report) => {
      this.#heard.set(report.event, report);
      this.#waiting.get(report.event)?.(report);
      this.#listener?.(report);
    });
  }

  static start<Report extends { readonly event: string }>(program: string, setup: object): Helper<Report> {
    return new Helper<Report>(program, setup);
  }

  /** The first report of this event. Rejects when the process ends without it. */
  report<Event extends Report['event']>(event: Event): Promise<Extract<Report, { readonly event: Event }>> {
    const heard = this.#heard.get(event);
    const coming =
      heard === undefined
        ? new Promise<Report>((resolve) => this.#waiting.set(event, resolve))
        : Promise.resolve(heard);
    return Promise.race([coming, this.#failed]) as Promise<Extract<Report, { readonly event: Event }>>;
  }

  /** Told every later report of this event, in place of who was told before. */
  onReport<Event extends Report['event']>(
    event: Event,
    listener: (report: Extract<Report, { readonly event: Event }>) => void,
  ): void {
    this.#listener = (report) => {
      if (report.event === event) listener(report as Extract<Report, { readonly event: Event }>);
    };
  }

  send(message: object): void {
    this.#child.send(message);
  }

  end(): void {
    this.#child.kill();
  }
}
