/**
 * A workload: clients that ask something of every node again and again, and note in the history what they asked and what
 * it came to. It judges nothing.
 */
import type { Time } from '../cluster/time.ts';
import type { Member } from './member.ts';
import type { Recorder } from './recorder.ts';

export interface Workload {
  /** What must be there before anybody begins. Throws where that cannot be done. */
  prepare(): Promise<void>;
  /** Begins, or goes on after a pause. */
  start(): void;
  /** Writes no more; resolves when every write has its outcome. */
  pause(): Promise<void>;
  /** Ends everything, reads as well; resolves when every operation has its outcome. */
  stop(): Promise<void>;
}

export interface WorkloadModules {
  readonly members: readonly Member[];
  readonly recorder: Recorder;
  readonly time: Time;
  /** 0 ≤ x < 1, from the run's seed */
  readonly random: () => number;
}

/** Something done again and again, at most one at a time per place; what a workload is made of. */
export class Loops {
  readonly #time: Time;
  #generation = 0;
  #running: Promise<void>[] = [];

  constructor(time: Time) {
    this.#time = time;
  }

  get isRunning(): boolean {
    return this.#running.length > 0;
  }

  /** @param offsetMs before the first turn, so that those who do the same do not all do it at once */
  every(everyMs: number, offsetMs: number, turn: () => Promise<void>): void {
    this.#running.push(this.#loop(this.#generation, everyMs, offsetMs, turn));
  }

  /** The same at every member that runs when it is its turn; the turns are spread evenly over the time between two. */
  everyMember(members: readonly Member[], everyMs: number, turn: (member: Member) => Promise<unknown>): void {
    members.forEach((member, i) =>
      this.every(everyMs, (i / members.length) * everyMs, async () => {
        if (member.node.state === 'running') await turn(member);
      }),
    );
  }

  /** Resolves when no turn is under way. */
  async stop(): Promise<void> {
    this.#generation += 1;
    const ended = this.#running;
    this.#running = [];
    await Promise.all(ended);
  }

  async #loop(
    generation: number,
    everyMs: number,
    offsetMs: number,
    turn: () => Promise<void>,
  ): Promise<void> {
    await this.#time.wait(offsetMs);
    while (generation === this.#generation) {
      const next = this.#time.wait(everyMs);
      await turn();
      await next;
    }
  }
}

/** @returns one of them */
export function oneOf<T>(choices: readonly T[], random: () => number): T {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new RangeError('nothing to choose from');
  return choice;
}
