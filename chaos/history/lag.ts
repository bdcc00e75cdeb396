/**
 * How busy the machine was, second by second, as evidence: how much too late the lab's own timers came, how long something
 * waited for a processor, and how long the disk took for a block of the lab's own. A time measured while the lab itself was
 * held up says little about the nodes.
 */
import { readFileSync } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { History } from './history.ts';

const EVERY_MS = 1_000;
/** The timer that measures looks so often; what it always sees is taken off. */
const RESOLUTION_MS = 10;
/** Linux tells how long some process waited for a processor, in µs since the start of the machine. */
const PRESSURE_FILE = '/proc/pressure/cpu';

/** @returns what ends it */
export function watchLag(history: History): () => void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const disk = new DiskWatch();
  let stalledUs = stalledSoFar();
  const timer = setInterval(() => {
    const now = stalledSoFar();
    const loopMs = Math.max(0, delays.max / 1e6 - RESOLUTION_MS);
    const stalledMs = now === null || stalledUs === null ? null : (now - stalledUs) / 1e3;
    history.add({
      type: 'lag',
      loopMs: Math.round(loopMs),
      stalledMs: stalledMs && Math.round(stalledMs),
      flushMs: disk.longestMs(),
    });
    delays.reset();
    stalledUs = now;
  }, EVERY_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    delays.disable();
    disk.end();
  };
}

/** One block is enough: what is held up is the flush. */
const BLOCK = Buffer.alloc(4_096);
/** Between two flushes: a disk that is held up for longer is seen. A node at work flushes more often. */
const FLUSH_EVERY_MS = 100;

/** Writes one block of a file without a name, again and again, to the disk on which nodes that are processes keep theirs. */
class DiskWatch {
  #isOver = false;
  #longestMs = 0;
  /** of the flush under way */
  #since: number | null = null;
  #isKnown = false;

  constructor() {
    // Where there is no such file nothing is known of the disk.
    this.#run().catch(() => (this.#isKnown = false));
  }

  /** Of a flush that ended since the last call, or is under way, in whole ms; null: not known. */
  longestMs(): number | null {
    const underWayMs = this.#since === null ? 0 : performance.now() - this.#since;
    const longestMs = Math.max(this.#longestMs, underWayMs);
    this.#longestMs = 0;
    return this.#isKnown ? Math.round(longestMs) : null;
  }

  end(): void {
    this.#isOver = true;
  }

  async #run(): Promise<void> {
    const name = join(tmpdir(), `aethel-lab-disk-${process.pid}`);
    const file = await open(name, 'w');
    try {
      await unlink(name);
      while (!this.#isOver) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
        await this.#flush(file);
        // oxlint-disable-next-line no-await-in-loop -- as above
        await new Promise((resolve) => setTimeout(resolve, FLUSH_EVERY_MS).unref());
      }
    } finally {
      await file.close();
    }
  }

  async #flush(file: FileHandle): Promise<void> {
    this.#since = performance.now();
    await file.write(BLOCK, 0, BLOCK.length, 0);
    await file.datasync();
    this.#longestMs = Math.max(this.#longestMs, performance.now() - this.#since);
    this.#since = null;
    this.#isKnown = true;
  }
}

function stalledSoFar(): number | null {
  try {
    const total = /^some .*total=(\d+)/.exec(readFileSync(PRESSURE_FILE, 'utf8'))?.[1];
    return total === undefined ? null : Number(total);
  } catch {
    return null;
  }
}
