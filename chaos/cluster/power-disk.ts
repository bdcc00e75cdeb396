/**
 * File systems that can lose their power: ext4 on a file, each for one node of the process cluster. A power cut shuts the
 * file system down without flushing anything (ext4's own ioctl for it), so that what was written and not flushed is gone
 * for good, and what was flushed is there after the journal is played. Needs root, loop devices, and ext4.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const MEGABYTES = 256;
const IMAGE = 'disk.img';
const CANARY = 'lab-canary';
/** EXT4_IOC_SHUTDOWN (linux/fs/ext4/ext4.h) with EXT4_GOING_FLAGS_NOLOGFLUSH. Perl is part of every Debian. */
const SHUT_DOWN =
  'open(my $d, "<", $ARGV[0]) or die $!; my $how = pack("L", 2); ioctl($d, 0x8004587D, $how) or die $!';

/** Seen at `directory`, kept in a file beside it. @returns whether this machine lets us */
export function mountPowerDisk(directory: string): boolean {
  try {
    const image = imageOf(directory);
    run('truncate', ['-s', `${MEGABYTES}M`, image]);
    run('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
    mount(directory);
    return true;
  } catch {
    rmSync(imageOf(directory), { force: true });
    return false;
  }
}

/**
 * Takes the power away and gives it back. Nobody may have a file open there.
 *
 * A file is written just before and not flushed: that it is gone afterwards shows that what is not flushed is lost.
 * @returns whether it is gone. Throws where the file system does not come back.
 */
export function cutPower(directory: string): boolean {
  const canary = path.join(directory, CANARY);
  writeFileSync(canary, 'written, not flushed');
  run('perl', ['-e', SHUT_DOWN, directory]);
  run('umount', [directory]);
  mount(directory);
  return !existsSync(canary);
}

function mount(directory: string): void {
  run('mount', ['-t', 'ext4', '-o', 'loop', imageOf(directory), directory]);
}

function imageOf(directory: string): string {
  return path.join(path.dirname(directory), IMAGE);
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, [...args], { stdio: 'ignore' });
}
