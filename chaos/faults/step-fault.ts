/** A fault on one node that is a step there and a step back, each with its own proof. What the steps are is for whoever makes it. */
import { poll } from '../cluster/poll.ts';
import { evidenceOf } from './fault.ts';
import type { Check, Evidence, Fault, Injected } from './fault.ts';
import type { FaultKind } from './spec.ts';

export interface Steps {
  readonly name: FaultKind;
  readonly means: string;
  /** how it is undone, in words */
  readonly back: string;
  inject(): Promise<void>;
  /** what shows that it bites now */
  bites(): Promise<readonly Check[]>;
  lift(): Promise<void>;
  /** what shows that it is gone */
  healed(): Promise<readonly Check[]>;
}

const HEAL_BUDGET_MS = 10_000;
const NOTHING_COUNTED = { count: 0, bytes: 0 };

export class StepFault implements Fault {
  readonly name: FaultKind;
  readonly means: string;
  readonly #steps: Steps;
  #liftedAt: number | null = null;

  constructor(steps: Steps) {
    this.name = steps.name;
    this.means = steps.means;
    this.#steps = steps;
  }

  plan(): readonly string[] {
    return [`inject: ${this.means}`, `lift: ${this.#steps.back}`];
  }

  async inject(): Promise<Injected> {
    this.#liftedAt = null;
    const beganAt = Date.now();
    await this.#steps.inject();
    return { beganAt, completeAt: Date.now() };
  }

  async evidence(): Promise<Evidence> {
    return evidenceOf(await this.#steps.bites(), NOTHING_COUNTED);
  }

  async lift(): Promise<number> {
    if (this.#liftedAt === null) {
      await this.#steps.lift();
      this.#liftedAt = Date.now();
    }
    return this.#liftedAt;
  }

  async heal(): Promise<Evidence> {
    await this.lift();
    let checks: readonly Check[] = [];
    // A clock's file is read once in a second, a store tries again when there is room: it may take a moment.
    await poll(
      async () => {
        checks = await this.#steps.healed();
        return checks.every(({ holds }) => holds) ? true : null;
      },
      { everyMs: 250, budgetMs: HEAL_BUDGET_MS },
    );
    return evidenceOf(checks, NOTHING_COUNTED);
  }
}
