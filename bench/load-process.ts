import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LoadOutcome, LoadReport, LoadRun, LoadSetup } from './load.ts';

/** The load generator, seen from outside. */
export class LoadProcess {
  readonly filings: number;
  readonly meanBytes: number;
  readonly #child: ReturnType<typeof fork>;

  private constructor(child: ReturnType<typeof fork>, loaded: { filings: number; meanBytes: number }) {
    this.#child = child;
    this.filings = loaded.filings;
    this.meanBytes = loaded.meanBytes;
  }

  static start(setup: LoadSetup): Promise<LoadProcess> {
    const program = fileURLToPath(new URL('./load.ts', import.meta.url));
    const child = fork(program, [JSON.stringify(setup)], { execArgv: ['--import', 'tsx'] });
    return new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the load generator ended with ${code}`)));
      child.once('message', (report: LoadReport) => {
        if (report.event === 'loaded') resolve(new LoadProcess(child, report));
      });
    });
  }

  run(run: LoadRun, onTick: (answered: number, elapsedSeconds: number) => void): Promise<LoadOutcome> {
    const startMs = performance.now();
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the load generator ended with ${code}`));
      const listen = (report: LoadReport): void => {
        if (report.event === 'tick') onTick(report.answered, (performance.now() - startMs) / 1000);
        if (report.event !== 'done') return;
        this.#child.off('message', listen);
        this.#child.off('exit', ended);
        resolve(report.outcome);
      };
      this.#child.on('message', listen);
      this.#child.on('exit', ended);
      this.#child.send(run);
    });
  }

  end(): void {
    this.#child.kill();
  }
}
