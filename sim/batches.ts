/**
 * Gossip's duplicate filter, kept by batch instead of by host: one byte pair per host says in which of its lives it saw the batch.
 * The same records in the same order are the same message, whoever announces them, as in gossipsub, which names a message by its hash.
 */
import { encodeBatch } from '../node/protocol/gossip/batch.ts';
import type { SignedRecord } from '../node/protocol/state/record.ts';
import type { Machine } from './machine.ts';
import type { Spread } from './traffic.ts';
import type { World } from './world.ts';

export interface Batch {
  readonly records: readonly SignedRecord[];
  readonly bytes: Uint8Array;
  readonly spread: Spread;
  readonly publishedAt: number;
  /** by host: the life in which it saw the batch, 0 for never */
  readonly seenIn: Uint16Array;
}

/** A duplicate filter forgets, in ms; gossipsub's seenTTL is two minutes. */
const FORGET_MS = 120_000;
/** How many new batches pass between two looks for what to forget. */
const SWEEP_EVERY = 1_000;

export class Batches {
  readonly #world: World;
  readonly #hosts: number;
  readonly #byName = new Map<string, Batch>();
  #untilSweep = SWEEP_EVERY;

  constructor(world: World, hosts: number) {
    this.#world = world;
    this.#hosts = hosts;
  }

  of(records: readonly SignedRecord[]): Batch {
    const name = records.length === 1 ? (records[0]?.id ?? '') : records.map(({ id }) => id).join(' ');
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const { now, traffic, rng } = this.#world;
    const batch: Batch = {
      records,
      bytes: encodeBatch(records),
      spread: traffic.published(now, rng),
      publishedAt: now,
      seenIn: new Uint16Array(this.#hosts),
    };
    this.#byName.set(name, batch);
    this.#untilSweep -= 1;
    if (this.#untilSweep <= 0) this.#sweep();
    return batch;
  }

  /** In the order of their publication, so the old ones are in front. */
  #sweep(): void {
    this.#untilSweep = SWEEP_EVERY;
    for (const [name, { publishedAt }] of this.#byName) {
      if (this.#world.now - publishedAt < FORGET_MS) return;
      this.#byName.delete(name);
    }
  }
}

export function hasSeen(batch: Batch, machine: Machine): boolean {
  return batch.seenIn[machine.number] === machine.life;
}

/** @returns false when it had seen it before */
export function see(batch: Batch, machine: Machine): boolean {
  if (hasSeen(batch, machine)) return false;
  batch.seenIn[machine.number] = machine.life;
  return true;
}
