import { closeSync, openSync } from 'node:fs';

export interface HangupOptions {
  /** Operators send SIGHUP to have the folder of the filing types looked at again. */
  readonly reload: () => void;
  /** The terminal sends it too, when its window is closed: then nobody can stop the process any more but by its number. */
  readonly stop: (reason: string) => void;
}

/**
 * Takes SIGHUP from its making on, since it ends a process that does not; one that comes before there is anything to reload
 * is acted on later. A process that was started from a terminal which is gone now stops.
 */
export class Hangup {
  readonly #hadTerminal = hasTerminal();
  #options: HangupOptions | undefined;
  #isPending = false;

  constructor() {
    process.on('SIGHUP', () => this.#act());
  }

  take(options: HangupOptions): void {
    this.#options = options;
    if (this.#isPending) this.#act();
  }

  #act(): void {
    this.#isPending = this.#options === undefined;
    if (this.#hadTerminal && !hasTerminal()) this.#options?.stop('the terminal is gone');
    else this.#options?.reload();
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false; // ENXIO: no terminal controls this process
  }
}
