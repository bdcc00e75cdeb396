/**
 * A lung that could not start (its port was taken, its start took too long) is made anew and tried again, so that a node
 * which came up on one lung gets its second one without a restart.
 */
import type { Clock, Lung, LungEffect, LungSink } from '../ports.ts';
import type { LungName } from '../protocol/events.ts';

export interface RevivingModules<L extends Lung> {
  /** a lung that was never started, with everything it needs; called for each try */
  readonly make: () => L;
  readonly clock: Clock;
  /** told of every try but the first, whose outcome `start` gives */
  readonly revived: (error: Error | null) => void;
}

export interface RevivingOptions {
  readonly name: LungName;
  /** Pause between two tries, in ms. Default 5000: a try costs the import once and a listen. */
  readonly retryMs: number;
}

const ADDRESSES_KEPT_MAX = 1_024;

export class RevivingLung<L extends Lung> implements Lung {
  readonly name: LungName;
  readonly #modules: RevivingModules<L>;
  readonly #options: RevivingOptions;
  readonly #addresses = new Set<string>();
  #lung: L;
  #sink: LungSink | null = null;
  #isStarted = false;
  #isStopped = false;
  #cancelRetry: (() => void) | null = null;

  constructor(modules: RevivingModules<L>, options: RevivingOptions) {
    this.name = options.name;
    this.#modules = modules;
    this.#options = options;
    this.#lung = modules.make();
  }

  /** The lung of the current try. */
  get current(): L {
    return this.#lung;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** The first try. Rejects with the lung's error; the next tries follow by themselves. */
  async start(sink: LungSink): Promise<void> {
    this.#sink = sink;
    try {
      await this.#lung.start(sink);
      this.#isStarted = true;
    } catch (error) {
      this.#retryLater();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRetry?.();
    await this.#lung.stop();
  }

  perform(effect: LungEffect): void {
    this.#lung.perform(effect);
  }

  addAddress(address: string, isTold = false): void {
    if (isTold) return this.#lung.addAddress(address, true);
    if (this.#addresses.size < ADDRESSES_KEPT_MAX) this.#addresses.add(address);
    this.#lung.addAddress(address);
  }

  #retryLater(): void {
    if (this.#isStopped) return;
    this.#cancelRetry = this.#modules.clock.after(this.#options.retryMs, () => void this.#retry());
  }

  async #retry(): Promise<void> {
    const { make, revived } = this.#modules;
    await this.#lung.stop();
    if (this.#isStopped || this.#sink === null) return;
    this.#lung = make();
    for (const address of this.#addresses) this.#lung.addAddress(address);
    try {
      await this.#lung.start(this.#sink);
      this.#isStarted = true;
      revived(null);
    } catch (error) {
      revived(error instanceof Error ? error : new Error(String(error)));
      this.#retryLater();
    }
  }
}
