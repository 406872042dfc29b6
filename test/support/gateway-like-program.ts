// A process with the life of a gateway: workers, an HTTP port, signals. For tests of ops/shutdown.ts and ops/cluster.ts.
// Arguments: number of workers (0: none, this process serves itself), milliseconds that stopping takes, and may take.
import { createServer } from 'node:http';
import { clusterMetrics, isWorker, Workers, workerReady, workerTask } from '../../src/ops/cluster.ts';
import { stopOnSignals } from '../../src/ops/shutdown.ts';
import { createTelemetry } from '../../src/ops/telemetry.ts';
import { systemClock } from '../../src/std/clock.ts';
import type { Logger } from '../../src/std/telemetry.ts';

const say = (fields: object, message: string): void =>
  void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const log: Logger = { debug: say, info: say, warn: say, error: say };
const [count = '0', stopMs = '0', limitMs = '3000'] = process.argv.slice(2);
const telemetry = createTelemetry();

/** `/` answers with this process's number, `/slow` after a moment, `/metrics` with those of all, `/throw` never. */
async function serve(greeting: string): Promise<void> {
  const server = createServer((request, response) => {
    telemetry.metrics.count('requests');
    if (request.url === '/throw') throw new Error('secret');
    if (request.url === '/metrics') {
      const text = isWorker() ? clusterMetrics() : telemetry.exposition();
      text.then(
        (body) => response.end(body),
        () => response.writeHead(500).end(),
      );
    } else {
      if (request.url === '/slow') say({}, 'a slow request');
      setTimeout(() => response.end(`${greeting} ${process.pid}`), request.url === '/slow' ? 400 : 0);
    }
  });
  await new Promise<void>((resolve) =>
    server.listen(isWorker() ? Number(greeting.split(' ')[1]) : 0, '127.0.0.1', resolve),
  );
  const address = server.address();
  stopOnSignals({
    steps: [
      { name: 'http', run: () => new Promise<void>((resolve) => server.close(() => resolve())) },
      { name: 'rest', run: () => new Promise((resolve) => setTimeout(resolve, Number(stopMs))) },
    ],
    log,
    clock: systemClock,
    limitMs: Number(limitMs),
    signals: isWorker() ? ['SIGTERM'] : ['SIGTERM', 'SIGINT'],
  });
  if (isWorker()) {
    process.on('SIGINT', () => {});
    workerReady();
  } else process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
}

async function lead(): Promise<void> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const address = probe.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => probe.close(resolve));
  const workers = new Workers({ count: Number(count), task: `hello ${port}`, log, clock: systemClock });
  stopOnSignals({ steps: [{ name: 'workers', run: () => workers.stop() }], log, clock: systemClock });
  await workers.start();
  process.stdout.write(`${port}\n`);
}

if (isWorker()) await serve(await workerTask<string>());
else if (count === '0') await serve('alone');
else await lead();
