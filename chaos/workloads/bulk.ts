/** Many unique facts in batches, each batch accepted as a whole or not at all: what makes a state large in little time. */
import { Loops } from './workload.ts';
import type { Member } from './member.ts';
import type { Workload, WorkloadModules } from './workload.ts';

export interface BulkOptions {
  /** between two batches to one node */
  readonly everyMs: number;
  /** entries of a batch */
  readonly size: number;
}

export class Bulk implements Workload {
  readonly #modules: WorkloadModules;
  readonly #options: BulkOptions;
  readonly #loops: Loops;
  #batches = 0;

  constructor(modules: WorkloadModules, options: BulkOptions) {
    this.#modules = modules;
    this.#options = options;
    this.#loops = new Loops(modules.time);
  }

  async prepare(): Promise<void> {}

  start(): void {
    if (this.#loops.isRunning) return;
    this.#loops.everyMember(this.#modules.members, this.#options.everyMs, (member) => this.#turn(member));
  }

  pause(): Promise<void> {
    return this.#loops.stop();
  }

  stop(): Promise<void> {
    return this.#loops.stop();
  }

  async #turn(member: Member): Promise<void> {
    const { name } = member.node;
    this.#batches += 1;
    const batch = String(this.#batches).padStart(8, '0');
    const entries = Array.from(
      { length: this.#options.size },
      (_, i) => [`bulk/${name}/${batch}/${i}`, `${batch}.${i}`] as const,
    );
    await this.#modules.recorder.batch(member, entries);
  }
}
