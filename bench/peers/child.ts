import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const END_PATIENCE_MS = 20_000;

/** A program of this folder, running; it answers one message at a time. */
export class Child {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** Resolves with the program's first message. */
  static async start<T>(program: string, setup: object): Promise<{ readonly child: Child; readonly first: T }> {
    const file = fileURLToPath(new URL(program, import.meta.url));
    const child = new Child(fork(file, [JSON.stringify(setup)], { execArgv: ['--import', 'tsx'] }));
    return { child, first: await child.#next<T>() };
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  async ask<T>(question: object): Promise<T> {
    const answer = this.#next<T>();
    this.#process.send(question);
    return await answer;
  }

  /** Lets it put its database away. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()));
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), END_PATIENCE_MS);
    this.#process.disconnect();
    await ended;
    clearTimeout(timer);
  }

  #next<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`a peer's program ended with ${code}`));
      this.#process.once('exit', ended);
      this.#process.once('message', (message) => {
        this.#process.off('exit', ended);
        resolve(message as T);
      });
    });
  }
}
