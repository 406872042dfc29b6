import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COPIED = ['dist', 'docs', 'drizzle', 'package.json', 'package-lock.json', 'schemas', 'src', 'tsconfig.json'];

/** A checkout of its own, whose filing types a test may change. `remove` it when done. */
export class PackageCopy {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-package-'));
    // The account that PostgreSQL runs as must be able to go through it.
    chmodSync(this.folder, 0o755);
    for (const name of COPIED) cpSync(path.join(ROOT, name), path.join(this.folder, name), { recursive: true });
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(this.folder, 'node_modules'));
  }

  path(...names: readonly string[]): string {
    return path.join(this.folder, ...names);
  }

  /** The template of docs/filing-types.md as a type of that name, in a folder of that name. */
  addType(name: string): void {
    const folder = this.path('schemas', 'city', name);
    cpSync(this.path('docs', 'filing-type-template'), folder, { recursive: true });
    this.#rename(folder, name);
  }

  replace(file: string, from: string, to: string): void {
    const text = readFileSync(this.path(file), 'utf8');
    if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
    writeFileSync(this.path(file), text.replaceAll(from, to));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #rename(folder: string, name: string): void {
    if (name === 'waste') return;
    const files = ['type.json', '2026-01/rules.json', ...EXAMPLES.map((example) => `2026-01/examples/${example}.json`)];
    for (const file of files)
      this.replace(path.relative(this.folder, path.join(folder, file)), 'city.waste', `city.${name}`);
  }
}

const RULES = ['TOTAL', 'FEE', 'DATE', 'COLLECTOR', 'OIL', 'CHANGE'];
const EXAMPLES = ['valid-month', 'valid-nothing', ...RULES.map((rule) => `invalid-WASTE-${rule}`)];
