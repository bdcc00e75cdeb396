/**
 * How much memory the records may take where nobody says so: what the machine, or the container's limit, leaves beside the rest of a
 * node. A record's bytes lie outside the engine's heap, so the heap's own limit does not count.
 *
 *   bound = (limit - 256 MiB) / 2, at least 16 MiB
 *
 * A flood of values of 60 KB, the worst there is, takes up to 270 MB beside the records, some of it in proportion to them: messages on
 * their way, garbage, what the C library keeps. The other half leaves room for that, and for readers (measured, ADR 22).
 */
import { totalmem } from 'node:os';

const MIB = 1_048_576;
const NODE_BYTES = 256 * MIB;
const RECORDS_SHARE = 0.5;
const BYTES_MIN = 16 * MIB;

export function stateBytesMaxOf(limitBytes: number): number {
  return Math.max(BYTES_MIN, Math.floor((limitBytes - NODE_BYTES) * RECORDS_SHARE));
}

/** Of a container, if it has any (cgroup v1 and v2), else of the machine; bytes. */
export function memoryLimitBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
