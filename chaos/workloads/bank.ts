/**
 * One account per node, and transfers between them: each an immutable fact of one record. Only the client at an account's
 * own node spends from it, and only what it has read there, less what it may have spent without knowing.
 */
import { BANK_PREFIX } from '../checkers/conservation.ts';
import type { Transfer } from '../checkers/conservation.ts';
import { Loops, oneOf } from './workload.ts';
import type { Member } from './member.ts';
import type { Workload, WorkloadModules } from './workload.ts';

export interface BankOptions {
  /** between two reads of all accounts at one node, each followed by a transfer */
  readonly everyMs: number;
}

/** What every account is opened with. */
const OPENED_WITH = 1_000;
const AMOUNT_MAX = 100;

export class Bank implements Workload {
  readonly #modules: WorkloadModules;
  readonly #options: BankOptions;
  readonly #loops: Loops;
  /** by account: transfers so far, and what was spent by those of which nobody knows whether they were done */
  readonly #transfers = new Map<string, number>();
  readonly #unsure = new Map<string, number>();

  constructor(modules: WorkloadModules, options: BankOptions) {
    this.#modules = modules;
    this.#options = options;
    this.#loops = new Loops(modules.time);
  }

  /** Opens the accounts. */
  async prepare(): Promise<void> {
    for (const member of this.#modules.members) {
      const { name } = member.node;
      const opening: Transfer = { from: null, to: name, amount: OPENED_WITH };
      const { outcome } = await this.#modules.recorder.write(member, `${BANK_PREFIX}${name}/opened`, opening);
      if (outcome !== 'ok') throw new Error(`the account of ${name} could not be opened`);
    }
  }

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
    const { recorder, random, members } = this.#modules;
    const { name } = member.node;
    const balances = await recorder.balances(member);
    const own = (balances?.get(name) ?? 0) - (this.#unsure.get(name) ?? 0);
    if (own <= 0) return;
    const { node } = oneOf(
      members.filter((other) => other !== member),
      random,
    );
    const amount = 1 + Math.floor(random() * Math.min(own, AMOUNT_MAX));
    const number = (this.#transfers.get(name) ?? 0) + 1;
    this.#transfers.set(name, number);
    const key = `${BANK_PREFIX}${name}/${String(number).padStart(8, '0')}`;
    const transfer: Transfer = { from: name, to: node.name, amount };
    const { outcome } = await recorder.write(member, key, transfer);
    // It may show up in a later read: counted twice then, on the safe side.
    if (outcome === 'info') this.#unsure.set(name, (this.#unsure.get(name) ?? 0) + amount);
  }
}
