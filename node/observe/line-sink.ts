/**
 * Takes log lines for one target and never keeps its caller: what the target does not take now waits in a bounded buffer, and what
 * the buffer has no room for is dropped and counted. A target that fails is tried again for as long as the node runs; when it takes
 * lines again, one line says how many are missing.
 *
 *   slow    EAGAIN: the reader does not read, a terminal is stopped      lines wait; dropped when the buffer is full
 *   full    ENOSPC, EDQUOT, EFBIG                                        the same
 *   gone    EPIPE, EIO, …: nobody will ever read what waits              dropped at once, until it works again
 *   failed  anything else, a file that cannot be opened                  as full
 */
import type { Clock } from '../ports.ts';
import type { LineTarget } from './line-targets.ts';

export const DROP_REASONS = ['slow', 'full', 'gone', 'failed'] as const;
export type DropReason = (typeof DROP_REASONS)[number];
/** Lines, for as long as the process lives: the sinks of a target that is exchanged share it. */
export type Dropped = Record<DropReason, number>;

export function noneDropped(): Dropped {
  return { slow: 0, full: 0, gone: 0, failed: 0 };
}

export interface LineSinkModules {
  readonly target: LineTarget;
  /** its timers do not keep the process alive */
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly dropped: Dropped;
  /** the line, with its end, that tells of lines that are missing */
  readonly missing: (lines: number) => string;
  /** The target fails, or is too slow: once until it works again. */
  readonly trouble: (reason: DropReason, code: string) => void;
}

export interface LineSinkOptions {
  /** What may wait, in UTF-16 units. Default 1 Mi, some 8,000 lines: hours of `info`, and no burden on the smallest container. */
  readonly bufferMax?: number;
}

const BUFFER_MAX = 1_048_576;
const NEWLINE = 0x0a;
/** A reader that has stopped is tried again after this time, then less and less often. */
const SLOW_RETRY_MIN_MS = 10;
const SLOW_RETRY_MAX_MS = 250;
const RETRY_MS = 1_000;

interface Trouble {
  readonly reason: DropReason;
  readonly code: string;
  /** by the monotonic clock, ms: nothing is tried before */
  readonly until: number;
}

export class LineSink {
  readonly #modules: LineSinkModules;
  readonly #bufferMax: number;
  #lines: string[] = [];
  #chunk: Buffer = Buffer.alloc(0);
  #offset = 0;
  /** of lines and chunk */
  #size = 0;
  /** what was written last is a part of a line of which the rest is lost */
  #isCut = false;
  #isWriting = false;
  #isReopening = false;
  #isClosed = false;
  #trouble: Trouble | null = null;
  #isTroubleTold = false;
  #untold = 0;
  #slowMs = SLOW_RETRY_MIN_MS;
  #cancelRetry: (() => void) | null = null;
  #idle: (() => void)[] = [];

  constructor(modules: LineSinkModules, options: LineSinkOptions = {}) {
    this.#modules = modules;
    this.#bufferMax = options.bufferMax ?? BUFFER_MAX;
  }

  get name(): LineTarget['name'] {
    return this.#modules.target.name;
  }

  /** @param line with its end */
  add(line: string): void {
    const trouble = this.#trouble;
    const isLost = trouble?.reason === 'gone' && this.#modules.clock.monotonicMs() < trouble.until;
    if (this.#isClosed || isLost || this.#size + line.length > this.#bufferMax) {
      this.#drop(1, trouble?.reason ?? 'slow');
      return;
    }
    if (trouble === null) this.#tellMissing();
    this.#push(line);
    if (this.#cancelRetry === null) this.#pump();
  }

  /** From the next write on, to what is at the target's place now. */
  reopen(): void {
    this.#isReopening = true;
    this.#retryNow();
  }

  /** Resolves when all is with the system, at the latest after `budgetMs`; what a failing target would not take is not waited for. */
  async close(budgetMs: number): Promise<void> {
    this.#retryNow();
    if (this.#isWriting || (this.#isBusy() && (this.#trouble?.reason ?? 'slow') === 'slow')) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle.push(resolve);
      const cancel = this.#modules.clock.after(budgetMs, resolve);
      await promise;
      cancel();
    }
    this.#isClosed = true;
    this.#stopTimer();
    // While a thread of the pool writes, the descriptor is its own.
    if (!this.#isWriting) this.#modules.target.close();
  }

  /** In place, once: for a process that is about to end. */
  flush(): void {
    if (this.#isWriting || this.#isClosed || !this.#isBusy()) return;
    this.#fill();
    try {
      this.#modules.target.writeSync(this.#chunk.subarray(this.#offset));
    } catch {
      // There is nobody left to tell.
    }
  }

  #pump(): void {
    while (!this.#isWriting && !this.#isClosed) {
      try {
        if (this.#isReopening) this.#reopen();
        if (!this.#isBusy()) break;
        this.#fill();
        const rest = this.#chunk.subarray(this.#offset);
        const { target } = this.#modules;
        if (target.isPrompt) this.#took(target.writeSync(rest));
        else {
          this.#isWriting = true;
          target.write(rest, this.#told);
        }
      } catch (error) {
        this.#isWriting = false;
        return this.#failed(error);
      }
    }
    if (this.#isBusy()) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  readonly #told = (error: NodeJS.ErrnoException | null, written: number): void => {
    this.#isWriting = false;
    if (this.#isClosed) this.#modules.target.close();
    else if (error !== null) this.#failed(error);
    else {
      this.#took(written);
      this.#pump();
    }
  };

  #took(bytes: number): void {
    this.#trouble = null;
    if (bytes > 0) this.#isCut = false;
    if (this.#untold === 0) this.#isTroubleTold = false;
    this.#slowMs = SLOW_RETRY_MIN_MS;
    this.#offset += bytes;
    if (this.#offset < this.#chunk.length) return;
    this.#size = this.#lines.reduce((sum, line) => sum + line.length, 0);
    if (this.#lines.length === 0) this.#tellMissing();
  }

  #failed(error: unknown): void {
    const code = codeOf(error);
    const reason = reasonOf(code);
    const waitMs = reason === 'slow' ? this.#slowMs : RETRY_MS;
    this.#slowMs = Math.min(this.#slowMs * 2, SLOW_RETRY_MAX_MS);
    this.#trouble = { reason, code, until: this.#modules.clock.monotonicMs() + waitMs };
    if (reason === 'gone') this.#dropAll();
    else this.#retryLater(waitMs);
    if (reason === 'slow') return;
    this.#tellTrouble(reason);
    // A close does not wait for what the target refuses.
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #retryLater(ms: number): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.#modules.clock.after(ms, () => {
      this.#cancelRetry = null;
      this.#pump();
    });
  }

  #retryNow(): void {
    this.#stopTimer();
    this.#pump();
  }

  #stopTimer(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
  }

  /** A line of which a part is in the old file is written whole into the new one. */
  #reopen(): void {
    this.#isReopening = false;
    this.#modules.target.open();
    this.#isCut = false;
    if (this.#offset > 0) this.#offset = this.#chunk.lastIndexOf('\n', this.#offset - 1) + 1;
  }

  #fill(): void {
    if (this.#offset < this.#chunk.length) return;
    this.#chunk = Buffer.from((this.#isCut ? '\n' : '') + this.#lines.join(''));
    this.#offset = 0;
    this.#lines = [];
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#size += line.length;
  }

  #drop(lines: number, reason: DropReason): void {
    this.#modules.dropped[reason] += lines;
    this.#untold += lines;
    this.#tellTrouble(reason);
  }

  #dropAll(): void {
    const rest = this.#chunk.subarray(this.#offset).filter((byte) => byte === NEWLINE).length;
    const isBreakWaiting = this.#isCut && this.#offset < this.#chunk.length;
    const lines = rest - (isBreakWaiting ? 1 : 0) + this.#lines.length;
    if (!this.#isCut && this.#offset > 0) this.#isCut = this.#chunk[this.#offset - 1] !== NEWLINE;
    this.#lines = [];
    this.#offset = this.#chunk.length;
    this.#size = 0;
    if (lines > 0) this.#drop(lines, 'gone');
  }

  #tellMissing(): void {
    if (this.#untold === 0) return;
    this.#push(this.#modules.missing(this.#untold));
    this.#untold = 0;
    this.#isTroubleTold = false;
  }

  #tellTrouble(reason: DropReason): void {
    if (this.#isTroubleTold || this.#isClosed) return;
    this.#isTroubleTold = true;
    this.#modules.trouble(reason, this.#trouble?.code ?? 'EAGAIN');
  }

  #isBusy(): boolean {
    return this.#offset < this.#chunk.length || this.#lines.length > 0;
  }
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : 'unknown';
}

function reasonOf(code: string): DropReason {
  if (code === 'EAGAIN') return 'slow';
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) return 'full';
  return ['EPIPE', 'EIO', 'ENXIO', 'ECONNRESET', 'ENOTCONN'].includes(code) ? 'gone' : 'failed';
}
