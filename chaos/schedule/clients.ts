/** The workloads of a schedule, started and ended as one; unique facts are there in every run and are kept apart. */
import { Bank } from '../workloads/bank.ts';
import { Bulk } from '../workloads/bulk.ts';
import { Registers } from '../workloads/registers.ts';
import { SharedKeys } from '../workloads/shared-keys.ts';
import type { Workload, WorkloadModules } from '../workloads/workload.ts';
import type { Workloads } from './schedule.ts';

export class Clients implements Workload {
  readonly #facts: Workload;
  readonly #others: readonly Workload[];

  constructor(facts: Workload, modules: WorkloadModules, { registers, bank, shared, bulk }: Workloads) {
    this.#facts = facts;
    this.#others = [
      ...(registers === undefined ? [] : [new Registers(modules, registers)]),
      ...(bank === undefined ? [] : [new Bank(modules, bank)]),
      ...(shared === undefined ? [] : [new SharedKeys(modules, shared)]),
      ...(bulk === undefined ? [] : [new Bulk(modules, bulk)]),
    ];
  }

  async prepare(): Promise<void> {
    for (const one of [this.#facts, ...this.#others]) await one.prepare();
  }

  start(): void {
    for (const one of [this.#facts, ...this.#others]) one.start();
  }

  async pause(): Promise<void> {
    await Promise.all([this.#facts, ...this.#others].map((one) => one.pause()));
  }

  /** The facts only pause: whoever began them reads on until all have arrived, and ends them. */
  async stop(): Promise<void> {
    await Promise.all([this.#facts.pause(), ...this.#others.map((one) => one.stop())]);
  }
}
