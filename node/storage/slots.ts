/**
 * Replicas of one service share a directory of slots, `slot-0`, `slot-1`, …, and each takes one that is free as its state
 * directory. So identity and state outlive the container: who comes next finds them.
 *
 *   1. the slot of our own number (a replica of compose has one), if it is free and holds state or no free slot does
 *   2. else the lowest free slot that holds state
 *   3. else the lowest free slot
 *
 * Why a number at all: after `--scale node=1` the first replica goes on alone. Were slots dealt anew at each start, the next
 * start could give it the slot of a replica that had left earlier, and what was written since would be out of sight.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageFailedError } from './errors.ts';
import { SlotLocks } from './slot-lock.ts';

export interface Slot {
  readonly number: number;
  /** the state directory */
  readonly dir: string;
  /** it held no state when it was taken */
  readonly isNew: boolean;
  /** the other slots that hold state, ascending, and since when: the time of their identity, in ms since the epoch */
  readonly others: readonly { readonly number: number; readonly since: number }[];
  /** Gives the slot back; the kernel does it when the process ends. */
  release(): void;
}

export interface SlotOptions {
  /** the directory of slots; made where it is not there */
  readonly dir: string;
  /** the replica's place among its like, counted from 0; null: it has none, or does not know it */
  readonly place: number | null;
  /**
   * How long a replica without state leaves free slots that hold some to those that had them before. Default 3 s: replicas
   * that start together take their slots within a second or two of each other.
   */
  readonly patienceMs?: number;
}

const SLOTS_MAX = 4096;
const PATIENCE_MS = 3_000;
const LOOK_EVERY_MS = 50;
/** A choice takes a millisecond or two; whoever is frozen in the middle of one does not keep the others out. */
const TURN_MAX_MS = 2_000;

/** @throws StorageFailedError */
export async function takeSlot({ dir, place, patienceMs = PATIENCE_MS }: SlotOptions): Promise<Slot> {
  makeDirectory(dir);
  const locks = SlotLocks.open(dir);
  try {
    const patientUntil = performance.now() + patienceMs;
    for (;;) {
      const number = await inTurn(locks, () => choose(locks, dir, place, performance.now() < patientUntil));
      if (number !== 'wait') return taken(locks, dir, number);
      await sleep(LOOK_EVERY_MS);
    }
  } catch (error) {
    locks.close();
    throw error;
  }
}

/** The chosen slot is locked; all others that were looked at are free again. */
function choose(locks: SlotLocks, dir: string, place: number | null, isPatient: boolean): number | 'wait' {
  const withState = slotsWithState(dir);
  const isOurs = place !== null && place < SLOTS_MAX && locks.take(place);
  if (isOurs && withState.includes(place)) return place;
  const left = withState.find((slot) => slot !== place && locks.take(slot));
  if (left === undefined) return isOurs ? place : lowestFree(locks, dir);
  if (isOurs) locks.give(place);
  if (!isOurs || !isPatient) return left;
  locks.give(left);
  return 'wait';
}

function lowestFree(locks: SlotLocks, dir: string): number {
  for (let slot = 0; slot < SLOTS_MAX; slot += 1) if (locks.take(slot)) return slot;
  throw new StorageFailedError({ code: 'EAGAIN', detail: `all ${SLOTS_MAX} slots of ${dir} are taken` });
}

async function inTurn<T>(locks: SlotLocks, run: () => T): Promise<T> {
  const waitUntil = performance.now() + TURN_MAX_MS;
  let isOurTurn = locks.beginChoosing();
  while (!isOurTurn && performance.now() < waitUntil) {
    await sleep(1 + Math.random() * 10);
    isOurTurn = locks.beginChoosing();
  }
  try {
    return run();
  } finally {
    if (isOurTurn) locks.endChoosing();
  }
}

function taken(locks: SlotLocks, parent: string, number: number): Slot {
  const dir = slotDirectory(parent, number);
  makeDirectory(dir);
  const withState = slotsWithState(parent);
  return {
    number,
    dir,
    isNew: !withState.includes(number),
    others: withState
      .filter((slot) => slot !== number)
      .map((slot) => ({ number: slot, since: sinceOf(slotDirectory(parent, slot)) })),
    release: () => locks.close(),
  };
}

function slotsWithState(dir: string): readonly number[] {
  return readdirSync(dir)
    .flatMap((name) => (/^slot-(0|[1-9]\d{0,3})$/.test(name) ? [Number(name.slice('slot-'.length))] : []))
    .filter((slot) => slot < SLOTS_MAX && sinceOf(slotDirectory(dir, slot)) > 0)
    .toSorted((a, b) => a - b);
}

function slotDirectory(parent: string, slot: number): string {
  return join(parent, `slot-${slot}`);
}

/** When its identity was made, or what tells of it where that is lost; 0 where it holds no state. */
function sinceOf(dir: string): number {
  const files = [join(dir, 'identity.key'), join(dir, 'store.made'), join(dir, 'store', 'data.mdb')];
  return (
    files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0).find((at) => at > 0) ?? 0
  );
}

/** For the node's user alone; one that is there keeps its mode. */
function makeDirectory(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
    throw new StorageFailedError({ code, detail: `${dir} cannot be made` }, { cause: error });
  }
}
