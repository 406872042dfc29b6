import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import {
  type Cosigner,
  canCosign,
  cosigner,
  type OfficeLog,
  type PulledBatch,
  type PullState,
} from '../../client/client.ts';
import { sleep } from '../../client/retry.ts';
import { type Command, numberOption, textOption } from '../command.ts';
import { type CliContext, connect, nodeHash, requireKey } from '../context.ts';
import { EXIT, fileError, UsageError } from '../exit.ts';
import { writeDurably } from '../files.ts';
import { Progress } from '../progress.ts';

export const pull: Command = {
  name: 'pull',
  args: '<office>',
  summary: { zh: '机关取件：逐批取回、核对、确认', en: 'an office’s pull: batches are read, checked, acknowledged' },
  details: {
    zh: '每批一个 NDJSON 文件。先核对每份申报的叶子、检查点的签名和自第 0 份起的默克尔根，写盘之后才向网关确认。密钥为 Ed25519 时，确认中附本机关对检查点的会签，申报人由此可向任何人证明机关已收到。state.json 使任何时候都能接着取；请与数据一起妥善保存。',
    en: 'One NDJSON file a batch. Every leaf, the checkpoint’s signature and the Merkle root from entry 0 on are checked, and the file is on disk, before the batch is acknowledged. With an Ed25519 key the acknowledgement carries the office’s own signature over the checkpoint: filers can show anybody that the office has their filing. state.json lets it go on at any time: keep it with the data.',
  },
  options: [
    { flags: '--out <folder>', text: { zh: '存放的文件夹', en: 'folder to write to' }, fallback: 'pulled' },
    {
      flags: '--consumer <name>',
      text: { zh: '消费者名称；每个名称有自己的进度', en: 'the consumer’s name; each has its own cursor' },
      fallback: 'shenbao-pull',
    },
    {
      flags: '--max <n>',
      text: { zh: '每批最多份数', en: 'entries in a batch' },
      fallback: '10000',
      range: [1, 10_000],
    },
    {
      flags: '--lease <seconds>',
      text: { zh: '一批的租期（秒）', en: 'how long a batch is held' },
      fallback: '60',
      range: [1, 3600],
    },
    {
      flags: '--no-cosign',
      text: { zh: '确认时不附本机关的会签', en: 'acknowledge without the office’s cosignature' },
    },
    {
      flags: '--gzip',
      text: {
        zh: '传输时压缩：线路慢时更快，网关与本机多耗处理器时间',
        en: 'compressed on the way: faster over a slow line, at the cost of processor time on both sides',
      },
    },
    { flags: '--follow', text: { zh: '取完后继续等待新的申报', en: 'go on waiting for new filings' } },
    {
      flags: '--every <seconds>',
      text: { zh: '--follow 时的间隔（秒）', en: 'with --follow: seconds between looks' },
      fallback: '5',
      range: [1, 3600],
    },
  ],
  async run(ctx, [office = ''], options) {
    const key = await requireKey(ctx);
    const folder = await PullFolder.open(textOption(options, 'out') ?? 'pulled', office);
    const consumer = textOption(options, 'consumer') ?? 'shenbao-pull';
    const log = (await connect(ctx)).office(office);
    const isCosigning = options.cosign !== false && canCosign(key);
    const settings: PullSettings = {
      compressed: options.gzip === true,
      max: numberOption(options, 'max'),
      leaseSeconds: numberOption(options, 'lease'),
      ...(isCosigning ? { cosigner: await cosigner(key, { clock: ctx.clock, hash: nodeHash }) } : {}),
    };
    let total = 0;
    while (!ctx.signal.aborted) {
      const batch = await pullOne(ctx, log, consumer, folder, settings);
      if (batch !== undefined) {
        total += batch.to - batch.from;
        showBatch(ctx, batch);
      } else if (options.follow === true) {
        await sleep(numberOption(options, 'every') * 1000, ctx.signal);
      } else {
        break;
      }
    }
    const size = folder.state?.size ?? 0;
    ctx.terminal.result({ office, pulled: total, size }, () => [
      ctx.terminal.say({
        zh: `取回 ${total} 份，累计核对 ${size} 份，无缺失`,
        en: `${total} pulled; ${size} checked since the first, none missing`,
      }),
    ]);
    return EXIT.done;
  },
};

interface PullSettings {
  readonly max: number;
  readonly leaseSeconds: number;
  readonly compressed: boolean;
  readonly cosigner?: Cosigner;
}

async function pullOne(
  ctx: CliContext,
  log: OfficeLog,
  consumer: string,
  folder: PullFolder,
  settings: PullSettings,
): Promise<PulledBatch | undefined> {
  const progress = new Progress(ctx.terminal.progressStream(), () => ctx.clock.monotonic());
  let read = 0;
  try {
    return await log.pull(consumer, {
      ...settings,
      ...(folder.state === undefined ? {} : { state: folder.state }),
      onEntry: ({ text }) => {
        read++;
        return folder.write(text, () => {
          progress.draw(undefined, ctx.terminal.say({ zh: `已核对 ${read} 份`, en: `${read} checked` }));
        });
      },
      save: (batch) => folder.keep(batch),
    });
  } finally {
    progress.clear();
    await folder.discard();
  }
}

function showBatch({ terminal }: CliContext, batch: PulledBatch): void {
  const { id, from, to, root } = batch;
  terminal.result({ batch: { id, from, to, root } }, () => [
    `${terminal.paint('green', '✓')} ${terminal.say({ zh: `第 ${from} 至 ${to - 1} 份`, en: `entries ${from} to ${to - 1}` })}  ${terminal.paint('dim', `root ${root}`)}`,
  ]);
}

const LINES_AT_ONCE = 500;

/** `<from>-<to>.ndjson` for each batch, and `state.json` with what proves them complete. */
class PullFolder {
  readonly #folder: string;
  readonly #office: string;
  state: PullState | undefined;
  #draft: FileHandle | undefined;
  #pending: string[] = [];
  /** Lines are verified while those before them are written; one write at a time. */
  #writing: Promise<void> = Promise.resolve();

  private constructor(folder: string, office: string, state: PullState | undefined) {
    this.#folder = folder;
    this.#office = office;
    this.state = state;
  }

  static async open(folder: string, office: string): Promise<PullFolder> {
    const file = path.join(folder, 'state.json');
    try {
      await mkdir(folder, { recursive: true });
      const text = await readFile(file, 'utf8').catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      });
      return new PullFolder(folder, office, text === undefined ? undefined : parseState(file, text, office));
    } catch (error) {
      throw error instanceof UsageError ? error : fileError(folder, error);
    }
  }

  /** Something to wait for, and to tell of, once in a while. */
  write(line: string, onFlush: () => void): Promise<void> | undefined {
    this.#pending.push(line);
    if (this.#pending.length < LINES_AT_ONCE) return undefined;
    onFlush();
    return this.#flush();
  }

  /** The batch's file first, then the state: a crash between them reads the batch again. */
  async keep(batch: PulledBatch): Promise<void> {
    await this.#flush();
    await this.#writing;
    if (this.#draft !== undefined) {
      await this.#draft.sync();
      await this.#draft.close();
      this.#draft = undefined;
      await rename(this.#draftFile, path.join(this.#folder, `${batchName(batch)}.ndjson`));
    }
    await writeDurably(
      path.join(this.#folder, 'state.json'),
      `${JSON.stringify({ office: this.#office, pull: batch.state })}\n`,
    );
    this.state = batch.state;
  }

  /** Forgets an unfinished batch. */
  async discard(): Promise<void> {
    this.#pending = [];
    // Why it failed was told to whoever flushed or kept; what was written is of no more use.
    await this.#writing.catch(() => undefined);
    this.#writing = Promise.resolve();
    await this.#draft?.close();
    this.#draft = undefined;
  }

  async #flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    await this.#writing;
    this.#draft ??= await open(this.#draftFile, 'w');
    this.#writing = this.#draft.writeFile(`${this.#pending.join('\n')}\n`);
    // Thrown where it is waited for, which may be after it failed.
    this.#writing.catch(() => undefined);
    this.#pending = [];
  }

  get #draftFile(): string {
    return path.join(this.#folder, 'batch.part');
  }
}

/** Numbers of one width, so that names sort as the log does. */
function batchName({ from, to }: PulledBatch): string {
  return `${String(from).padStart(12, '0')}-${String(to).padStart(12, '0')}`;
}

function parseState(file: string, text: string, office: string): PullState {
  try {
    const state = JSON.parse(text) as { office?: unknown; pull?: unknown };
    if (state.office === office && typeof state.pull === 'object' && state.pull !== null)
      return state.pull as PullState;
  } catch {
    // Told below.
  }
  throw new UsageError({
    zh: `${file}：不是机关 ${office} 的取件进度`,
    en: `${file}: not the state of a pull of office ${office}`,
  });
}
