import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export interface HotFunction {
  readonly name: string;
  readonly place: string;
  /** Of the busy time: idle does not count. */
  readonly share: number;
  /** Time of its own in all, microseconds. */
  readonly us: number;
}

/** What this reads of V8's .cpuprofile. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds between samples. */
  readonly timeDeltas: readonly number[];
  /** Microseconds of the system's monotonic clock. */
  readonly startTime: number;
}

/** Part of a profile, on the same clock: {@link monotonicUs}. */
export interface TimeWindow {
  readonly fromUs: number;
  readonly toUs: number;
}

/** V8 stamps profiles with CLOCK_MONOTONIC, which all processes of a machine share. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The functions with the most time of their own during `window`, in the largest profile of a folder. */
export function hottest(folder: string, window: TimeWindow, count: number): HotFunction[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  const texts = files.map((name) => readFileSync(path.join(folder, name), 'utf8'));
  const largest = texts.sort((a, b) => b.length - a.length)[0];
  if (largest === undefined) return [];
  const profile = JSON.parse(largest) as CpuProfile;
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, { name: string; place: string; us: number }>();
  let busyUs = 0;
  let atUs = profile.startTime;
  for (const [i, id] of profile.samples.entries()) {
    const us = profile.timeDeltas[i] ?? 0;
    atUs += us;
    const frame = frames.get(id);
    const isInside = atUs >= window.fromUs && atUs <= window.toUs;
    if (frame === undefined || !isInside || frame.functionName === '(idle)') continue;
    busyUs += us;
    const place = placeOf(frame.url, frame.lineNumber);
    const key = `${frame.functionName} ${place}`;
    const entry = times.get(key) ?? { name: frame.functionName || '(anonymous)', place, us: 0 };
    entry.us += us;
    times.set(key, entry);
  }
  const sorted = [...times.values()].sort((a, b) => b.us - a.us).slice(0, count);
  return sorted.map(({ name, place, us }) => ({ name, place, us, share: us / busyUs }));
}

function placeOf(url: string, line: number): string {
  if (url === '') return 'native';
  const file = url.startsWith('file:') ? path.relative(ROOT, fileURLToPath(url)) : url;
  return `${file}:${line + 1}`;
}
