import { closeSync, openSync } from 'node:fs';

export interface HangupOptions {
  /** Operators send SIGHUP to have the folder of the filing types looked at again. */
  readonly reload: () => void;
  /** The terminal sends it too, when its window is closed: then nobody can stop the process any more but by its number. */
  readonly stop: (reason: string) => void;
}

/** Takes SIGHUP. A process that was started from a terminal which is gone now stops. */
export function onHangup({ reload, stop }: HangupOptions): void {
  const hadTerminal = hasTerminal();
  process.on('SIGHUP', () => {
    if (hadTerminal && !hasTerminal()) stop('the terminal is gone');
    else reload();
  });
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false; // ENXIO: no terminal controls this process
  }
}
