/** The stylesheet of the printable receipt. It stands in the page, so that a saved page is whole; one sheet of A4. */
export const RECEIPT_STYLE = `
:root { color-scheme: light; --ink: #1b2430; --soft: #5a6675; --line: #dde3ea; --paper: #ffffff; --ground: #f4f6f9; --accent: #0b5cad; --good: #14804a; --warn: #8a5a00; }
* { box-sizing: border-box; }
html { font-size: 15px; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif; }
main { max-width: 52rem; margin: 1.5rem auto; padding: 1.75rem 2rem; background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; }
header { display: flex; align-items: baseline; gap: .75rem; flex-wrap: wrap; border-bottom: 2px solid var(--ink); padding-bottom: .5rem; }
h1 { margin: 0; font-size: 1.5rem; letter-spacing: .04em; }
header .soft { margin-left: auto; }
h2 { margin: 1.1rem 0 .3rem; font-size: 1rem; }
p { margin: .25rem 0; }
.soft { color: var(--soft); }
.small { font-size: .87rem; }
.badge { padding: 0 .6rem; border: 1px solid currentColor; border-radius: 99px; font-size: .8rem; white-space: nowrap; color: var(--warn); }
.facts { display: grid; grid-template-columns: 1fr 15rem; gap: 0 1.5rem; align-items: start; }
dl { margin: .5rem 0 0; }
dl div { display: grid; grid-template-columns: 7.5rem 1fr; gap: 0 .75rem; padding: .22rem 0; border-bottom: 1px solid var(--line); }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; font-size: .85em; overflow-wrap: anywhere; }
code.whole { white-space: nowrap; }
.code { margin: .75rem 0 0; text-align: center; }
.code svg { display: block; width: 100%; height: auto; }
.code figcaption { font-size: .8rem; color: var(--soft); }
.delivered { color: var(--good); font-weight: 600; }
ol { margin: .25rem 0; padding-left: 1.3rem; }
li { margin: .15rem 0; }
details { margin: .6rem 0 0; }
summary { cursor: pointer; color: var(--soft); }
pre { margin: .4rem 0 0; padding: .7rem .9rem; white-space: pre-wrap; background: var(--ground); border: 1px solid var(--line); border-radius: .4rem; }
a { color: var(--accent); }
@media (max-width: 40rem) { .facts { grid-template-columns: 1fr; } main { margin: 0; padding: 1rem; border: 0; } .code { max-width: 15rem; } dl div { grid-template-columns: 1fr; } }
@page { size: A4; margin: 14mm; }
@media print {
  html { font-size: 9.5pt; }
  body { background: none; }
  main { max-width: none; margin: 0; padding: 0; border: 0; border-radius: 0; }
  .facts { grid-template-columns: 1fr 52mm; }
  .screen { display: none; }
  a { color: inherit; text-decoration: none; }
  section, figure { break-inside: avoid; }
}
`;
