/** What Linux knows of a process. */
import { readFileSync } from 'node:fs';

/** USER_HZ is 100 on every Linux. */
const MS_PER_TICK = 10;

/** Of all its threads. NaN where there is no /proc. */
export function cpuMsOf(pid: number | undefined): number {
  const fields = procFile(pid, 'stat').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** NaN where there is no /proc. */
export function anonymousBytesOf(pid: number | undefined): number {
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(procFile(pid, 'status'))?.[1]) * 1024;
}

function procFile(pid: number | undefined, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
