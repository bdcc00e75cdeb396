/**
 * One register per node, which counts upwards: written by one client at its own node, read by every client at its own. What
 * a node has shown of it, it must not take back.
 */
import { REGISTER_PREFIX } from '../checkers/monotonic-reads.ts';
import { Loops, oneOf } from './workload.ts';
import type { Member } from './member.ts';
import type { Workload, WorkloadModules } from './workload.ts';

export interface RegistersOptions {
  /** between two writes to one register */
  readonly writeEveryMs: number;
  /** between two reads at one node */
  readonly readEveryMs: number;
}

export class Registers implements Workload {
  readonly #modules: WorkloadModules;
  readonly #options: RegistersOptions;
  readonly #writing: Loops;
  readonly #reading: Loops;
  readonly #counts = new Map<string, number>();

  constructor(modules: WorkloadModules, options: RegistersOptions) {
    this.#modules = modules;
    this.#options = options;
    this.#writing = new Loops(modules.time);
    this.#reading = new Loops(modules.time);
  }

  async prepare(): Promise<void> {}

  start(): void {
    const { members } = this.#modules;
    const { writeEveryMs, readEveryMs } = this.#options;
    if (!this.#writing.isRunning)
      this.#writing.everyMember(members, writeEveryMs, (member) => this.#write(member));
    if (!this.#reading.isRunning)
      this.#reading.everyMember(members, readEveryMs, (member) => this.#read(member));
  }

  pause(): Promise<void> {
    return this.#writing.stop();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#writing.stop(), this.#reading.stop()]);
  }

  async #write(member: Member): Promise<void> {
    const { name } = member.node;
    // Nobody knows what became of the last write, so its number is not used again.
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    await this.#modules.recorder.write(member, keyOf(name), count);
  }

  async #read(member: Member): Promise<void> {
    const { members, random, recorder } = this.#modules;
    const { node } = oneOf(members, random);
    await recorder.read(member, keyOf(node.name));
  }
}

function keyOf(node: string): string {
  return `${REGISTER_PREFIX}${node}`;
}
