import type { BenchResult, Figure, Series } from '../figure.ts';
import { type Failure, type Reading, type Section, sectionsOf } from './results.ts';
import { barsPlot, distributionPlot, escapeHtml, type Plot, timePlot } from './svg.ts';
import { COLUMNS, figureCells, machineText, number, verdictOf, verdictText } from './words.ts';

/** More than that many lines in one plot cannot be told apart. */
const LINES_MAX = 6;

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2530;--soft:#5d6b7a;--paper:#fff;--panel:#f6f8fa;--edge:#d9e0e7;--met:#1a7f37;--acceptable:#8a6100;--missed:#c0262d}
@media (prefers-color-scheme:dark){:root{--ink:#e4e9ef;--soft:#9aa7b4;--paper:#11161c;--panel:#192028;--edge:#2f3a45;--met:#4ac26b;--acceptable:#d9a520;--missed:#ff6b6b}}
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:1180px;margin:0 auto;padding:24px 20px 64px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 4px}h3{font-size:14px;margin:0 0 6px;font-weight:600}
p,dl{margin:4px 0;color:var(--soft)}dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px}dt{font-weight:600}dd{margin:0}
code{font:13px ui-monospace,monospace;background:var(--panel);border:1px solid var(--edge);border-radius:4px;padding:1px 5px;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:10px 0;font-variant-numeric:tabular-nums}
th,td{padding:4px 12px 4px 0;border-bottom:1px solid var(--edge);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal}th:last-child,td:last-child{text-align:left;padding-right:0}
thead th{color:var(--soft);font-weight:600}tr.head th{text-align:left;padding-top:14px}
.met{color:var(--met)}.acceptable{color:var(--acceptable)}.missed{color:var(--missed)}
.failures{border:1px solid var(--missed);border-radius:8px;padding:8px 14px;margin:16px 0}.failures pre{white-space:pre-wrap;margin:4px 0}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:16px;margin:14px 0}
figure{margin:0;padding:12px;background:var(--panel);border:1px solid var(--edge);border-radius:8px;min-width:0}figure.all{grid-column:1/-1}
svg{display:block;width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
.grid{stroke:var(--edge);fill:none}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}.whisker{stroke:var(--ink);stroke-width:1.4}
figcaption{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:12px;color:var(--soft);margin-top:6px}
figcaption i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:5px}
.line.c0{stroke:#2f6fdb}.line.c1{stroke:#e07b39}.line.c2{stroke:#3a9d5d}.line.c3{stroke:#a855c7}.line.c4{stroke:#c9a227}.line.c5{stroke:#d14b6a}
.bar.c0{fill:#2f6fdb}.bar.c1{fill:#e07b39}.bar.c2{fill:#3a9d5d}.bar.c3{fill:#a855c7}.bar.c4{fill:#c9a227}.bar.c5{fill:#d14b6a}
i.c0{background:#2f6fdb}i.c1{background:#e07b39}i.c2{background:#3a9d5d}i.c3{background:#a855c7}i.c4{background:#c9a227}i.c5{background:#d14b6a}
`;

/** A page that needs nothing beside itself: figures against their goals, then the plots of every bench. */
export function reportPage({ results, failures }: Reading): string {
  const sections = sectionsOf(results);
  const title = `Shenbao bench, ${distinct(results.map(({ at }) => at.slice(0, 10)))}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${facts(results)}
${failures.length === 0 ? '' : failuresBox(failures)}
${figuresTable(sections)}
${sections.map(sectionPart).join('\n')}
</main>
</body>
</html>
`;
}

function distinct(values: readonly string[]): string {
  return [...new Set(values)].join(', ');
}

function facts(results: readonly BenchResult[]): string {
  const verify = results.map(({ machine }) => machine.verifyUs);
  const load = results.map(({ machine }) => machine.loadBefore);
  const span = (values: readonly number[]): string =>
    values.length === 0 ? '' : `${number(Math.min(...values))} to ${number(Math.max(...values))}`;
  const rows = [
    ['Commit', distinct(results.map(({ commit }) => commit))],
    ['Machine', distinct(results.map(({ machine }) => machineText(machine)))],
    ['Load before the runs', span(load)],
    ['One ES256 verification before the runs', `${span(verify)} µs of CPU; goals are written for 67 µs`],
    [
      'Scaled',
      'the value on a machine that verifies in 67 µs: a help on a shared or slower machine, not a measurement',
    ],
  ];
  return `<dl>${rows.map(([name, text]) => `<dt>${name}</dt><dd>${escapeHtml(text ?? '')}</dd>`).join('')}</dl>`;
}

function failuresBox(failures: readonly Failure[]): string {
  const items = failures.map(
    ({ command, text }) => `<code>${escapeHtml(command)}</code><pre>${escapeHtml(text)}</pre>`,
  );
  return `<div class="failures"><h3>Runs that failed: no figures of theirs</h3>${items.join('')}</div>`;
}

function figuresTable(sections: readonly Section[]): string {
  const head = COLUMNS.map((name) => `<th>${name}</th>`).join('');
  const rows = sections.flatMap((section) => [
    `<tr class="head"><th colspan="${COLUMNS.length}">${escapeHtml(section.bench)}${runsText(section)}</th></tr>`,
    ...section.figures.map(figureRow),
  ]);
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

function runsText({ results }: Section): string {
  return results.length === 1 ? '' : `, median of ${results.length} runs`;
}

function figureRow(figure: Figure): string {
  const cells = figureCells(figure).map((text) => `<td>${escapeHtml(text)}</td>`);
  const verdict = verdictOf(figure, figure.value);
  return `<tr>${cells.join('')}<td class="${verdict ?? ''}">${escapeHtml(verdictText(figure))}</td></tr>`;
}

function sectionPart(section: Section): string {
  const lines = [...timePlots(section), ...distributionPlots(section)].map((plot) => plotPart(plot, ''));
  const bars = section.bars.map((each) => plotPart(barsPlot(each), 'all'));
  return `<section><h2>${escapeHtml(section.bench)}${runsText(section)}</h2>
<p><code>${escapeHtml(section.command)}</code></p>
<div class="plots">${[...lines, ...bars].join('\n')}</div></section>`;
}

/** Of one run, what has the same unit stands in one plot; of several, each value with a line for each run. */
function timePlots({ results }: Section): Plot[] {
  const runs = results.map(({ series }) => (series ?? []).filter(({ points }) => points.length > 1));
  const [only, ...more] = runs;
  if (only === undefined) return [];
  if (more.length > 0)
    return [...new Set(runs.flat().map(({ name }) => name))].map((name) =>
      timePlot(
        name,
        runs.flatMap((all, i) =>
          all.filter((one) => one.name === name).map((one) => ({ ...one, name: `run ${i + 1}` })),
        ),
      ),
    );
  const units = [...new Set(only.map(({ unit }) => unit))];
  return units.flatMap((unit) =>
    chunks(only.filter((one) => one.unit === unit)).map((series) => timePlot('over the seconds of the run', series)),
  );
}

function chunks(series: readonly Series[]): Series[][] {
  const count = Math.ceil(series.length / LINES_MAX);
  return Array.from({ length: count }, (_, i) => series.slice(i * LINES_MAX, (i + 1) * LINES_MAX));
}

/** As with the seconds: of several runs, each kind of load with a line for each run. */
function distributionPlots({ results }: Section): Plot[] {
  const all = results.flatMap(({ distributions }, i) =>
    (distributions ?? []).map(({ name, points }) => ({ name, run: `run ${i + 1}`, points })),
  );
  if (results.length === 1) return all.length === 0 ? [] : [distributionPlot('latency by percentile', all)];
  return [...new Set(all.map(({ name }) => name))].map((name) =>
    distributionPlot(
      `latency by percentile, ${name}`,
      all.filter((one) => one.name === name).map(({ run, points }) => ({ name: run, points })),
    ),
  );
}

function plotPart({ title, svg, legend }: Plot, kind: string): string {
  const keys = legend.map((name, i) => `<span><i class="c${i % LINES_MAX}"></i>${escapeHtml(name)}</span>`);
  return `<figure class="${kind}"><h3>${escapeHtml(title)}</h3>${svg}<figcaption>${keys.join('')}</figcaption></figure>`;
}
