import type { RuleSet } from '../filing-type.ts';
import { escapePointer, type JsonDocument } from '../json-document.ts';
import type { Report } from '../schema-compile.ts';

/** What a rule file declares itself and no rule of the version reads is a mistake: a mistyped name, or left over. */
export function checkUnused(document: JsonDocument, { rules, let: sums }: RuleSet, report: Report): void {
  const sources = rules.flatMap(({ expression, when = [] }) => [expression, ...when]).join('\n');
  const named = new Set([...rules, ...sums].flatMap(({ columns = [] }) => columns));
  const isRead: Readonly<Record<string, (name: string) => boolean>> = {
    columns: (name) => named.has(name),
    constants: (name) => reads(sources, 'constants', name),
    others: (name) => reads(sources, 'others', name),
    // One figure for each column is read as `regional.<name>[column]`.
    regional: (name) => {
      const [family = '', column] = name.split('.');
      return (
        reads(sources, 'regional', name) || (named.has(column ?? '') && sources.includes(`regional.${family}[column]`))
      );
    },
  };
  const file = document.value as Readonly<Record<string, object | undefined>>;
  for (const [member, test] of Object.entries(isRead)) {
    for (const name of Object.keys(file[member] ?? {})) {
      if (!test(name)) report(`/${member}/${escapePointer(name)}`, `no rule reads ${member}.${name}`);
    }
  }
}

function reads(sources: string, root: string, name: string): boolean {
  return new RegExp(`\\b${root}\\.${name.replaceAll('.', '\\.')}(?![A-Za-z0-9_])`).test(sources);
}
