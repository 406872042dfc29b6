// Sends bulk uploads: a process of its own, so that its work is not the gateway's. Its parent sends one run after the other
// and gets an outcome for each. Bodies are made before the clock starts.
import { Agent, type IncomingMessage, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { type BulkForm, uploadBody } from './bulk-corpus.ts';
import type { CorpusOptions } from './corpus.ts';

export interface BulkLoadSetup {
  readonly url: string;
  readonly issuer: string;
  readonly corpus: CorpusOptions;
}

export interface BulkRun {
  /** The first filing of the corpus that is sent, and how many. */
  readonly from: number;
  readonly filings: number;
  /** Filings in one upload; the last may have fewer. */
  readonly lines: number;
  readonly lineBytes?: number | undefined;
  readonly connections: number;
  readonly form: BulkForm;
}

export interface BulkOutcome {
  /** From the first request to the end of the last answer. */
  readonly seconds: number;
  readonly sent: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Of what was not accepted, by code. */
  readonly problems: Readonly<Record<string, number>>;
  /** Uploads that did not get a whole answer. */
  readonly broken: readonly string[];
  readonly sentBytes: number;
  readonly answerBytes: number;
  /** What compressing some of the answers takes here, for each of their filings. */
  readonly gzip: { readonly cpuUs: number; readonly bytes: number };
  /** From sending an upload to the first and to the last of its answer, sorted. */
  readonly firstMs: readonly number[];
  readonly wholeMs: readonly number[];
  readonly samples: readonly { readonly filing: number; readonly body: string }[];
  /** CPU seconds of this process. */
  readonly cpuSeconds: number;
}

const NEWLINE = 0x0a;
const STATUS = '"status":';
/** One answer in so many is kept whole. A prime, so that offices and months take turns. */
const SAMPLE_EVERY = 499;
const PATIENCE_MS = 60_000;
const PROBLEM = '"type":"urn:shenbao:problem:';
/** As the gateway compresses what offices pull. */
const GZIP_LEVEL = 1;
/** Of one answer, for weighing what compression costs. */
const GZIP_SAMPLE_BYTES = 4 * 1024 * 1024;

const setup = JSON.parse(process.argv[2] ?? '') as BulkLoadSetup;

process.on('message', (run: BulkRun) => {
  void perform(run).then(
    (outcome) => process.send?.(outcome),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(1));
process.send?.('ready');

interface Upload {
  readonly from: number;
  readonly lines: number;
  readonly body: Buffer;
}

interface Tally {
  readonly statuses: Record<string, number>;
  readonly problems: Record<string, number>;
  readonly broken: string[];
  readonly firstMs: number[];
  readonly wholeMs: number[];
  readonly samples: { filing: number; body: string }[];
  answerBytes: number;
  /** The pieces of one answer. */
  readonly kept: Buffer[];
}

async function perform(run: BulkRun): Promise<BulkOutcome> {
  const uploads: Upload[] = [];
  const end = run.from + run.filings;
  for (let from = run.from; from < end; from += run.lines) {
    const to = Math.min(end, from + run.lines);
    const { form, lineBytes } = run;
    uploads.push({ from, lines: to - from, body: uploadBody({ ...setup, form, from, to, lineBytes }) });
  }
  const sentBytes = uploads.reduce((sum, { body }) => sum + body.length, 0);
  const tally: Tally = {
    statuses: {},
    problems: {},
    broken: [],
    firstMs: [],
    wholeMs: [],
    samples: [],
    answerBytes: 0,
    kept: [],
  };
  const agent = new Agent({ keepAlive: true, maxSockets: run.connections });
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const work = async (): Promise<void> => {
    for (let upload = uploads.shift(); upload !== undefined; upload = uploads.shift()) {
      await send(agent, upload, run, tally).catch((error: unknown) => tally.broken.push(String(error)));
    }
  };
  await Promise.all(Array.from({ length: run.connections }, work));
  const seconds = (performance.now() - startMs) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  agent.destroy();
  const { kept, ...counted } = tally;
  return {
    ...counted,
    gzip: weighGzip(Buffer.concat(kept)),
    seconds,
    sent: run.filings,
    sentBytes,
    firstMs: tally.firstMs.sort((a, b) => a - b),
    wholeMs: tally.wholeMs.sort((a, b) => a - b),
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
  };
}

function weighGzip(answer: Buffer): BulkOutcome['gzip'] {
  const lines = answer.reduce((count, byte) => count + (byte === NEWLINE ? 1 : 0), 0);
  if (lines === 0) return { cpuUs: 0, bytes: 0 };
  const before = process.cpuUsage();
  const compressed = gzipSync(answer, { level: GZIP_LEVEL });
  const { user, system } = process.cpuUsage(before);
  return { cpuUs: (user + system) / lines, bytes: compressed.length / lines };
}

async function send(agent: Agent, upload: Upload, run: BulkRun, tally: Tally): Promise<void> {
  const startMs = performance.now();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson', 'content-length': upload.body.length };
    const sending = request(`${setup.url}/v1/filings/bulk`, { method: 'POST', agent, headers }, resolve);
    sending.setTimeout(PATIENCE_MS, () => sending.destroy(new Error(`silent for ${PATIENCE_MS / 1_000} s`)));
    sending.on('error', reject);
    sending.end(upload.body);
  });
  response.on('data', (chunk: Buffer) => {
    tally.answerBytes += chunk.length;
  });
  const isKept = upload.from === run.from;
  let keptBytes = 0;
  // The answers' own numbers count the manifest's line too.
  const firstLine = run.form === 'manifest' ? 2 : 1;
  let answered = 0;
  let firstMs = 0;
  for await (const lines of wholeLines(response)) {
    if (isKept && keptBytes < GZIP_SAMPLE_BYTES) tally.kept.push(lines);
    if (isKept) keptBytes += lines.length;
    if (answered === 0) firstMs = performance.now() - startMs;
    for (
      let start = 0, stop = lines.indexOf(NEWLINE);
      stop >= 0;
      start = stop + 1, stop = lines.indexOf(NEWLINE, start)
    ) {
      const at = lines.indexOf(STATUS, start) + STATUS.length;
      const status = lines.toString('latin1', at, at + 3);
      tally.statuses[status] = (tally.statuses[status] ?? 0) + 1;
      if (status !== '201') countProblem(tally, lines, start);
      const number = upload.from + answered;
      answered += 1;
      if (number % SAMPLE_EVERY !== 0) continue;
      const { line, filing } = JSON.parse(lines.toString('utf8', start, stop)) as { line: number; filing?: unknown };
      if (line !== answered - 1 + firstLine) throw new Error(`line ${line} is answered out of order`);
      if (filing !== undefined) tally.samples.push({ filing: number, body: JSON.stringify(filing) });
    }
  }
  if (answered !== upload.lines) throw new Error(`${upload.lines} filings, ${answered} answers`);
  tally.firstMs.push(firstMs);
  tally.wholeMs.push(performance.now() - startMs);
}

function countProblem({ problems }: Tally, lines: Buffer, start: number): void {
  const at = lines.indexOf(PROBLEM, start) + PROBLEM.length;
  const code = lines.toString('latin1', at, lines.indexOf('"', at));
  problems[code] = (problems[code] ?? 0) + 1;
}

/** Pieces that end with a newline each. */
async function* wholeLines(answer: IncomingMessage): AsyncGenerator<Buffer> {
  let tail: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) yield Buffer.concat([...tail, chunk.subarray(0, end)]);
    tail = end > 0 ? [chunk.subarray(end)] : [...tail, chunk];
  }
}
