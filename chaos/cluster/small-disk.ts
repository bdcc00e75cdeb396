/**
 * Small file systems for nodes of the process cluster, so that one may be full or lose its power: ext4 on a file where the
 * machine lets us, else a tmpfs, which can only be full. Only root may mount either.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import path from 'node:path';
import { mountPowerDisk } from './power-disk.ts';

/** Room for the 300,000 small records of half an hour, filled within a second. */
export const DISK_MEGABYTES = 256;
const FILLER = 'lab-filler';
const BLOCK = Buffer.alloc(65_536);

export type DiskKind = 'ext4' | 'tmpfs';
export const NO_MOUNTS = 'mounting a file system is not permitted here';
export const NO_EXT4 = 'mounting ext4 on a file is not permitted here';

/** @returns what the directory lies on now; null: on what it did, this machine does not let us */
export function mountDisk(directory: string): DiskKind | null {
  if (mountPowerDisk(directory)) return 'ext4';
  try {
    const size = `size=${DISK_MEGABYTES}m,mode=0700`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'aethel-lab', directory], { stdio: 'ignore' });
    return 'tmpfs';
  } catch {
    return null;
  }
}

/** Every file system mounted below this directory. @returns how many could not be unmounted */
export function unmountDisks(directory: string): number {
  let left = 0;
  for (const line of mountsText().split('\n')) {
    const place = line.split(' ')[1] ?? '';
    if (!place.startsWith(directory + path.sep)) continue;
    try {
      execFileSync('umount', [place], { stdio: 'ignore' });
    } catch {
      left += 1;
    }
  }
  return left;
}

/** Block by block, then byte by byte, until there is no room. */
export function fillDisk(directory: string): void {
  const file = openSync(path.join(directory, FILLER), 'w');
  try {
    for (const block of [BLOCK, BLOCK.subarray(0, 1)]) while (isWritten(file, block));
  } finally {
    closeSync(file);
  }
}

export function emptyDisk(directory: string): void {
  rmSync(path.join(directory, FILLER), { force: true });
}

export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

function isWritten(file: number, block: Buffer): boolean {
  try {
    return writeSync(file, block) > 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}

/** Empty where the system has no such list. */
function mountsText(): string {
  try {
    return readFileSync('/proc/mounts', 'utf8');
  } catch {
    return '';
  }
}
