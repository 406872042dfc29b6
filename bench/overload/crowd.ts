import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface CrowdOptions {
  readonly url: string;
  /** Connections that never send a byte. */
  readonly idle: number;
  /** Connections that send a byte now and then: half of them never end their head, half of them their body. */
  readonly slow: number;
  readonly patienceSeconds: number;
}

export interface CrowdFigures {
  readonly idle: number;
  readonly slow: number;
  /** When the last of them was cut, after it was opened; undefined when some were still open at the end of patience. */
  readonly lastCutSeconds: number | undefined;
  readonly stillOpen: number;
}

const DRIP_MS = 500;
const BODY_HEAD =
  'POST /v1/filings HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 9999\r\n\r\n';

/** Opens them all, and waits until the gateway has cut them. */
export async function gather({ url, idle, slow, patienceSeconds }: CrowdOptions): Promise<CrowdFigures> {
  const { hostname, port } = new URL(url);
  const startMs = performance.now();
  const open = new Set<Socket>();
  let lastMs = 0;
  const add = (begin: string): Socket => {
    const openedMs = performance.now();
    const socket = connect(Number(port), hostname);
    open.add(socket);
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      open.delete(socket);
      lastMs = Math.max(lastMs, performance.now() - openedMs);
    });
    socket.resume();
    if (begin !== '') socket.write(begin);
    return socket;
  };
  const drips: Socket[] = [];
  for (let i = 0; i < Math.max(idle, slow); i++) {
    if (i < idle) add('');
    if (i < slow) drips.push(add(i % 2 === 0 ? 'GET /healthz HTTP/1.1\r\nX: ' : BODY_HEAD));
    // As fast as connections are taken, not as fast as they can be asked for.
    if (i % 100 === 99) await sleep(10);
  }
  const drip = setInterval(() => {
    for (const socket of drips) if (socket.writable) socket.write('x');
  }, DRIP_MS);
  while (open.size > 0 && performance.now() - startMs < patienceSeconds * 1_000) await sleep(100);
  clearInterval(drip);
  const stillOpen = open.size;
  for (const socket of open) socket.destroy();
  return { idle, slow, lastCutSeconds: stillOpen === 0 ? lastMs / 1_000 : undefined, stillOpen };
}
