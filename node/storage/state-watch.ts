/**
 * Looks twice a second whether the state directory is still the one that the node opened: its key and its store, under their paths. A
 * directory that was removed, moved or replaced while the node runs goes unnoticed otherwise, since open files do not care.
 *
 * What is lost on disk is still in memory, perhaps nowhere else: so the node goes on serving reads and members, refuses writes, and says
 * why it is not ready, instead of ending. Ended and started again it would find nothing, or something else. When the directory is
 * back where it was, the node takes writes again.
 */
import { stat } from 'node:fs/promises';
import type { Clock, Logger } from '../ports.ts';
import type { StorageFailedError } from './errors.ts';
import { goneError, OpenFile } from './open-file.ts';

/** Half of the second within which it must be noticed; two looks a second cost an idle node 0.02 % of a core. */
const LOOK_MS = 500;

export class StateWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #files: readonly OpenFile[];
  #failure: StorageFailedError | null = null;
  #cancel: () => void = () => {};
  #isStopped = false;

  /** @param files that are there. @throws the system's error */
  constructor(
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
    files: readonly string[],
  ) {
    this.#clock = clock;
    this.#logger = logger;
    this.#files = files.map((file) => new OpenFile(file));
  }

  /** What is wrong with the directory; null: nothing. */
  get failure(): StorageFailedError | null {
    return this.#failure;
  }

  start(): void {
    this.#cancel = this.#clock.after(
      LOOK_MS,
      () => void this.look().then(() => this.#isStopped || this.start()),
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    for (const file of this.#files) file.close();
  }

  /** Never rejects. */
  async look(): Promise<void> {
    const found = await Promise.all(this.#files.map((file) => wrongWith(file)));
    if (this.#isStopped) return;
    const failure = found.find((one) => one !== null) ?? null;
    if (failure !== null && this.#failure === null) {
      this.#logger.error('the state directory is gone, writes are refused until it is back', {
        reason: failure.detail,
      });
    }
    if (failure === null && this.#failure !== null) this.#logger.info('the state directory is back');
    this.#failure = failure;
  }
}

async function wrongWith(file: OpenFile): Promise<StorageFailedError | null> {
  try {
    const now = await stat(file.path);
    return file.is(now) ? null : goneError(`${file.path} is another file than the one that the node opened`);
  } catch (error) {
    const { code = 'UNKNOWN' } = error as NodeJS.ErrnoException;
    return goneError(`${file.path} is not where it was (${code})`, { cause: error });
  }
}
