import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** CPU time that processes have used, in seconds. */
export interface CpuTimes {
  readonly gateway: number;
  readonly postgres: number;
}

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Own, in clock ticks. */
  readonly ticks: number;
  /** Of children that ended and were waited for. */
  readonly endedTicks: number;
}

/**
 * What the gateway's processes and PostgreSQL's have used so far: `gatewayPid` and everything that it started, told apart by
 * the programs' names. Undefined where there is no /proc.
 */
export function readCpu(gatewayPid: number): CpuTimes | undefined {
  if (process.platform !== 'linux') return undefined;
  const perSecond = ticksPerSecond();
  let gateway = 0;
  let postgres = 0;
  for (const stat of family(gatewayPid, readAll())) {
    // What has ended (autovacuum, a load generator) is counted with its parent.
    const ticks = stat.ticks + stat.endedTicks;
    if (stat.name === 'postgres') postgres += ticks;
    else gateway += ticks;
  }
  return { gateway: gateway / perSecond, postgres: postgres / perSecond };
}

function family(root: number, all: readonly ProcessStat[]): ProcessStat[] {
  const members = all.filter(({ pid }) => pid === root);
  for (let i = 0; i < members.length; i++) members.push(...all.filter(({ parent }) => parent === members[i]?.pid));
  return members;
}

function readAll(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
}

/** proc_pid_stat(5). The name is in brackets and may hold anything. */
function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    const fields = text
      .slice(end + 2)
      .split(' ')
      .map(Number);
    const at = (number: number): number => fields[number - 3] ?? 0;
    return {
      pid,
      parent: at(4),
      name: text.slice(text.indexOf('(') + 1, end),
      ticks: at(14) + at(15),
      endedTicks: at(16) + at(17),
    };
  } catch {
    return undefined; // it ended meanwhile
  }
}

let knownTicks: number | undefined;

function ticksPerSecond(): number {
  knownTicks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return knownTicks;
}

/** Resident memory of the gateway's own processes, bytes: the highest that each has had since its start or the last reset. */
export function peakMemory(gatewayPid: number): number | undefined {
  return ownMemory(gatewayPid, /^VmHWM:\s+(\d+) kB$/m);
}

/** The same, just now. */
export function memoryNow(gatewayPid: number): number | undefined {
  return ownMemory(gatewayPid, /^VmRSS:\s+(\d+) kB$/m);
}

/** Lets {@link peakMemory} begin anew; proc_pid_clear_refs(5). */
export function resetPeakMemory(gatewayPid: number): void {
  for (const { pid } of ownProcesses(gatewayPid)) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function ownProcesses(gatewayPid: number): ProcessStat[] {
  if (process.platform !== 'linux') return [];
  return family(gatewayPid, readAll()).filter(({ name }) => name !== 'postgres');
}

function ownMemory(gatewayPid: number, line: RegExp): number | undefined {
  if (process.platform !== 'linux') return undefined;
  return ownProcesses(gatewayPid).reduce((sum, { pid }) => sum + kilobytesOf(pid, line) * 1024, 0);
}

function kilobytesOf(pid: number, line: RegExp): number {
  try {
    return Number(line.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
