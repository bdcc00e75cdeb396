/**
 * File descriptors: whether there are enough of them to start with, and how many connections of clients they allow. A node without a free
 * descriptor can open neither its store nor a thread, and libraries below it crash instead of saying so.
 */
import { readFileSync } from 'node:fs';

/**
 * A node alone has 29 open, one with its threads and under writes 36 (`ls /proc/<pid>/fd | wc -l`), each member takes about 3, and a start
 * opens some for a moment.
 */
const NEEDED = 64;
const CLIENTS_MIN = 16;

/** @returns what is short, in one line; null when nothing is */
export function shortOfDescriptors(limit = descriptorLimit()): string | null {
  if (limit >= NEEDED) return null;
  return `file descriptors: ${limit} allowed, about ${NEEDED} needed and 3 more for each member; raise the limit (ulimit -n, LimitNOFILE= in systemd, ulimits.nofile in compose)`;
}

/** Clients get half of what the node does not need for itself; the rest is for members, the store and whoever else opens files. */
export function connectionsFor(limit = descriptorLimit()): number {
  return Math.max(CLIENTS_MIN, Math.floor((limit - NEEDED) / 2));
}

/** Node raises the soft limit to the hard one at its start. */
function descriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    // Not Linux.
    return Number.POSITIVE_INFINITY;
  }
}
