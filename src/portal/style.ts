/** The stylesheet of the gateway's own pages. No font and no image from anywhere else: the pages work offline. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ink: #1b2430; --soft: #5a6675; --line: #dde3ea; --paper: #ffffff; --ground: #f4f6f9; --accent: #0b5cad; --good: #14804a; --bad: #b3261e; --warn: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf1; --soft: #9aa7b6; --line: #2c3642; --paper: #171e27; --ground: #0f141a; --accent: #6cb2ff; --good: #5fd39b; --bad: #ff8a80; --warn: #e5b567; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.65;
  font-family: system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 3px; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.5rem; }
header { display: flex; align-items: baseline; gap: 1rem; flex-wrap: wrap; padding-top: 2.5rem; }
h1 { margin: 0; font-size: 2rem; letter-spacing: .04em; }
h1 small { font-size: 1.05rem; font-weight: 400; color: var(--soft); letter-spacing: 0; margin-left: .5rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .35rem; }
header nav { margin-left: auto; }
.lead { font-size: 1.1rem; max-width: 46rem; margin: 1rem 0 1.25rem; }
.states { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 1.25rem; }
.state { display: inline-flex; align-items: center; gap: .5rem; padding: .15rem .8rem; border: 1px solid var(--line); border-radius: 99px; background: var(--paper); font-size: .9rem; }
.state::before { content: ""; flex: none; width: .6rem; height: .6rem; border-radius: 50%; background: var(--soft); }
.state.good::before { background: var(--good); }
.state.bad::before { background: var(--bad); }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); padding: 0; margin: 0; list-style: none; }
.cards li { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.25rem; }
.cards a { display: inline-block; }
.cards p { margin: .25rem 0 .6rem; color: var(--soft); font-size: .95rem; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; font-size: .87rem; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1.1rem; overflow-x: auto; line-height: 1.55; margin: 0; }
.scroll { overflow-x: auto; background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; padding: .55rem 1.1rem; border-top: 1px solid var(--line); vertical-align: top; }
tr:first-child th { border-top: 0; color: var(--soft); font-weight: 500; font-size: .87rem; white-space: nowrap; }
td:first-child { white-space: nowrap; }
footer { color: var(--soft); font-size: .9rem; padding-top: 2.5rem; padding-bottom: 3rem; }
footer a { margin-right: 1rem; white-space: nowrap; }
footer p { margin: 0 0 .4rem; overflow-wrap: anywhere; }
h1 a { color: inherit; text-decoration: none; }
h2.first { margin-top: 1.25rem; font-size: 1.4rem; }
.soft { color: var(--soft); }
.trail { margin: 1.5rem 0 0; font-size: .95rem; color: var(--soft); }
dl { margin: 1.25rem 0; background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: .35rem 1.25rem; }
dl div { display: grid; grid-template-columns: 9rem 1fr; gap: .25rem 1rem; padding: .5rem 0; border-top: 1px solid var(--line); }
dl div:first-child { border-top: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.badge { display: inline-block; padding: 0 .6rem; border: 1px solid currentColor; border-radius: 99px; font-size: .8rem; font-weight: 400; line-height: 1.5; white-space: nowrap; }
.badge.error { color: var(--bad); }
.badge.warning { color: var(--warn); }
h3.line { margin: 1.75rem 0 .6rem; font-size: 1.05rem; }
.rule { background: var(--paper); border: 1px solid var(--line); border-left: 4px solid var(--warn); border-radius: .6rem; padding: .8rem 1.1rem; margin: 0 0 .7rem; }
.rule.error { border-left-color: var(--bad); }
.rule:target { outline: 2px solid var(--accent); }
.rule h4 { margin: 0 0 .35rem; font-size: 1rem; }
.rule p { margin: .3rem 0; overflow-wrap: anywhere; }
.rule .soft { font-size: .88rem; }
.rule .formula { font-size: 1.02rem; }
.rule pre { margin: .4rem 0; background: var(--ground); white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); font-size: .88rem; }
@media (max-width: 40rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  dl div { grid-template-columns: 1fr; gap: 0; }
  th, td { padding: .5rem .75rem; }
}
`;
