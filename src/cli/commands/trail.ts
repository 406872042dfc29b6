import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import {
  type ChainPosition,
  type ShenbaoClient,
  splitLines,
  TRAIL_START,
  TrailChain,
  type TrailEntry,
  type TrailFilter,
} from '../../client/client.ts';
import { type Command, numberOption, type OptionValues, textOption } from '../command.ts';
import { type CliContext, connect, nodeHash, requireKey } from '../context.ts';
import { EXIT, type ExitCode, fileError, UsageError } from '../exit.ts';
import { Progress } from '../progress.ts';
import type { Terminal } from '../terminal.ts';
import { plain, table } from '../text.ts';

const RESULTS = ['begun', 'done', 'refused', 'failed', 'cut-short'] as const;

export const trail: Command = {
  name: 'trail',
  args: '',
  summary: {
    zh: '审计记录：谁在何时管理或读取了什么（运维方）',
    en: 'the audit trail: who administered or read what, and when (operator)',
  },
  details: {
    zh: '默认列出最新的记录。--export 逐条核对哈希链并写入文件；再次运行从文件末尾接着导出。',
    en: 'By default the newest rows. --export checks the hash chain row by row and appends to a file; run again, it goes on where the file ends.',
  },
  options: [
    { flags: '--party <id>', text: { zh: '只看该主体', en: 'of this party only' } },
    {
      flags: '--action <name>',
      text: { zh: '只看该操作（operationId 或命令名）', en: 'of this action only: an operationId or a command' },
    },
    { flags: '--target <ids>', text: { zh: '只看该对象', en: 'of this target only' } },
    { flags: '--result <class>', text: { zh: '只看该类结果', en: 'with such a result only' }, choices: RESULTS },
    { flags: '--from <time>', text: { zh: '起始时间（RFC 3339）', en: 'from this time on, RFC 3339' } },
    { flags: '--to <time>', text: { zh: '截止时间（RFC 3339，不含）', en: 'before this time, RFC 3339' } },
    { flags: '--max <n>', text: { zh: '最多条数', en: 'rows at most' }, fallback: '50', range: [1, 1_000_000] },
    { flags: '--export <file>', text: { zh: '导出到该文件（NDJSON）', en: 'export to this file (NDJSON)' } },
  ],
  async run(ctx, _, options) {
    await requireKey(ctx);
    const file = textOption(options, 'export');
    const client = await connect(ctx);
    return file === undefined ? list(ctx, client, options) : exportTo(ctx, client, file);
  },
};

async function list(ctx: CliContext, client: ShenbaoClient, options: OptionValues): Promise<ExitCode> {
  const { terminal } = ctx;
  const names = ['party', 'action', 'target', 'result', 'from', 'to'] as const;
  const given = names.flatMap((name) => {
    const value = textOption(options, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const max = numberOption(options, 'max');
  const rows: TrailEntry[] = [];
  for await (const row of client.trail().find(Object.fromEntries(given) as TrailFilter, ctx.signal)) {
    rows.push(row);
    if (rows.length === max) break;
  }
  if (terminal.json) for (const row of rows) terminal.result(row, () => []);
  else terminal.result(rows, () => rowLines(terminal, rows));
  return EXIT.done;
}

const HEADINGS = [
  { zh: '序号', en: 'n' },
  { zh: '时间', en: 'at' },
  { zh: '主体', en: 'who' },
  { zh: '操作', en: 'action' },
  { zh: '对象', en: 'target' },
  { zh: '结果', en: 'result' },
];

function rowLines(terminal: Terminal, rows: readonly TrailEntry[]): string[] {
  if (rows.length === 0) return [terminal.say({ zh: '没有符合条件的记录', en: 'no rows' })];
  const cells = rows.map(({ n, at, role, party, action, target, result }) => [
    String(n),
    at,
    plain(`${role} ${party}`),
    plain(action),
    plain(target),
    terminal.paint(/^([23]\d\d|done|begun)$/.test(result) ? 'green' : 'red', plain(result)),
  ]);
  return table([HEADINGS.map((heading) => terminal.paint('bold', terminal.say(heading))), ...cells]);
}

/** Rows written at a time. */
const ROWS_A_WRITE = 1_000;

async function exportTo(ctx: CliContext, client: ShenbaoClient, file: string): Promise<ExitCode> {
  const handle = await open(file, 'a+', 0o600).catch((error: unknown) => {
    throw fileError(file, error);
  });
  const progress = new Progress(ctx.terminal.progressStream(), () => ctx.clock.monotonic());
  try {
    const kept = await readKept(file, handle);
    let last = kept;
    let waiting: string[] = [];
    const write = async (): Promise<void> => {
      await handle.appendFile(waiting.join(''));
      waiting = [];
    };
    try {
      for await (const row of client.trail().export(kept, ctx.signal)) {
        waiting.push(`${JSON.stringify(row)}\n`);
        last = { n: row.n, hash: row.hash };
        if (waiting.length >= ROWS_A_WRITE) await write();
        progress.draw(undefined, `${row.n}`);
      }
    } finally {
      // Whatever broke off, what was checked is kept.
      await write();
      await handle.sync();
    }
    progress.clear();
    const result = { file, added: last.n - kept.n, n: last.n, hash: last.hash };
    ctx.terminal.result(result, () => [
      ctx.terminal.say({
        zh: `${file}：新增 ${result.added} 条，至第 ${last.n} 条，哈希链完整，末条 ${last.hash}`,
        en: `${file}: ${result.added} rows added, up to row ${last.n}; the chain holds; hash of the last ${last.hash}`,
      }),
    ]);
    return EXIT.done;
  } finally {
    progress.clear();
    await handle.close();
  }
}

/** Checks what an earlier run has written, from the first row on; a last line that broke off is taken away. */
async function readKept(file: string, handle: FileHandle): Promise<ChainPosition> {
  const chain = new TrailChain(nodeHash, TRAIL_START);
  const { size } = await handle.stat();
  let whole = 0;
  let isBroken = false;
  for await (const line of splitLines(createReadStream(file, { end: Math.max(0, size - 1) }))) {
    isBroken = line.length === size - whole;
    if (isBroken) break;
    chain.add(entryOf(file, line));
    whole += line.length + 1;
  }
  if (isBroken) await handle.truncate(whole);
  else if (whole !== size) throw notExported(file);
  return chain.last;
}

function entryOf(file: string, line: Uint8Array): TrailEntry {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
    if (typeof value === 'object' && value !== null && 'n' in value && 'hash' in value) return value as TrailEntry;
  } catch {
    // Told below, without the line.
  }
  throw notExported(file);
}

function notExported(file: string): UsageError {
  return new UsageError({ zh: `${file}：不是导出的审计记录`, en: `${file}: not an exported audit trail` });
}
