/**
 * Two clients write the same key at two nodes in the same moment, again and again, each time another key: where a partition
 * stands between them, that is a conflict. Some time later every other key is read and written once more by one client,
 * which replaces all that it has read.
 */
import { SHARED_PREFIX } from '../checkers/conflicts.ts';
import { Loops, oneOf } from './workload.ts';
import type { Workload, WorkloadModules } from './workload.ts';

export interface SharedKeysOptions {
  /** between two keys */
  readonly everyMs: number;
}

/** So many keys later, one is looked at again. */
const RESOLVED_AFTER = 8;

export class SharedKeys implements Workload {
  readonly #modules: WorkloadModules;
  readonly #options: SharedKeysOptions;
  readonly #loops: Loops;
  #turns = 0;

  constructor(modules: WorkloadModules, options: SharedKeysOptions) {
    this.#modules = modules;
    this.#options = options;
    this.#loops = new Loops(modules.time);
  }

  async prepare(): Promise<void> {}

  start(): void {
    if (!this.#loops.isRunning) this.#loops.every(this.#options.everyMs, 0, () => this.#turn());
  }

  pause(): Promise<void> {
    return this.#loops.stop();
  }

  stop(): Promise<void> {
    return this.#loops.stop();
  }

  async #turn(): Promise<void> {
    const { members, random, recorder } = this.#modules;
    const up = members.filter(({ node }) => node.state === 'running');
    if (up.length < 2) return;
    this.#turns += 1;
    const turn = this.#turns;
    const one = oneOf(up, random);
    const other = oneOf(
      up.filter((member) => member !== one),
      random,
    );
    const key = keyOf(turn);
    await Promise.all([
      ...[one, other].map((member) => recorder.write(member, key, `${member.node.name} in turn ${turn}`)),
      ...(turn % 2 === 0 && turn > RESOLVED_AFTER ? [this.#resolve(turn - RESOLVED_AFTER, turn)] : []),
    ]);
  }

  /** What the reader has seen at a node, its write there replaces. */
  async #resolve(earlier: number, turn: number): Promise<void> {
    const { members, random, recorder } = this.#modules;
    const up = members.filter(({ node }) => node.state === 'running');
    const member = oneOf(up, random);
    const found = await recorder.read(member, keyOf(earlier));
    if (found === null || found === undefined) return;
    const knew = [found.version, ...found.siblings.map(({ version }) => version)];
    await recorder.write(member, keyOf(earlier), `resolved at ${member.node.name} in turn ${turn}`, knew);
  }
}

function keyOf(turn: number): string {
  return `${SHARED_PREFIX}${String(turn).padStart(8, '0')}`;
}
