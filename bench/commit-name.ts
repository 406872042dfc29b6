import { execFileSync } from 'node:child_process';

/** The commit that is measured, `-changed` when the sources or the filing types differ from it. */
export function commitName(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] });
    const changed = git('status', '--porcelain', '--', '../src', '../schemas').trim() !== '';
    return `${git('rev-parse', '--short=10', 'HEAD').trim()}${changed ? '-changed' : ''}`;
  } catch {
    return 'unknown';
  }
}
