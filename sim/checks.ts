/**
 * The promises, looked at from outside while a run goes on and once it has settled. What is broken becomes a sentence; the first
 * broken promise halts the world, because what follows proves nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Input, WriteOutcome } from '../node/protocol/border.ts';
import type { CoreOptions } from '../node/protocol/core.ts';
import type { LatticeEvent } from '../node/protocol/events.ts';
import type { NodeId, RecordId } from '../node/protocol/ids.ts';
import type { SignedRecord, VerifiedRecord } from '../node/protocol/state/record.ts';
import { Sketch } from '../node/protocol/state/sketch/sketch.ts';
import type { Platter } from './disk.ts';
import { Honesty } from './honesty.ts';
import { EPOCH_MS, SKETCH_SALT, type Host, type HostWatch } from './host.ts';
import { compareShown, covers, mustLive, RecordLog } from './record-log.ts';
import type { Wait } from './schedule.ts';
import type { World } from './world.ts';

/** DESIGN section 1. */
export type Promised = 'P1' | 'P2' | 'P3' | 'P4' | 'P5' | 'P6' | 'P8';

export interface Violation {
  readonly kind: 'liveness' | 'safety' | 'broken';
  /** null: the core or the simulator itself failed */
  readonly promise: Promised | null;
  /** virtual ms */
  readonly at: number;
  readonly text: string;
}

type Write = Extract<WriteOutcome, { readonly ok: true }>;

export interface CheckOptions {
  readonly core: CoreOptions;
  /** whether everyone knows everyone */
  readonly isFullMesh: boolean;
}

/** What a sketch of these records says. */
interface SketchOf {
  readonly ids: ReadonlySet<RecordId>;
  readonly estimator: Uint8Array;
  readonly symbols: Int32Array;
}

/** A grace of at least so long is no concern of a run, in ms. */
const LONG_MS = 3_600_000;
/** Between a jump of a clock and what follows from it lie syncs and heartbeats, in ms. */
const MARGIN_MS = 3_000;
/** Clocks that are right are right within so much, in ms. */
const SKEW_MS = 30_000;

export class Checks implements HostWatch {
  readonly violations: Violation[] = [];
  readonly #world: World;
  readonly #hosts: () => readonly Host[];
  readonly #honesty: Honesty;
  readonly #log = new RecordLog();
  /** acknowledged unique facts: key to value and record */
  readonly #facts = new Map<string, { readonly value: string; readonly id: RecordId }>();
  readonly #deletes = new Set<string>();
  /** dots that were signed twice on purpose */
  readonly #doubled = new Set<string>();
  readonly #options: CheckOptions;
  /** hosts whose disk was put back: what they knew, they may know no more */
  readonly #restored = new Set<number>();
  /** by host: how far its clock was ever ahead */
  readonly #aheadMs = new Map<number, number>();
  #restores = 0;
  /** by host: whom it met, and whether its disk has that */
  readonly #membersOf = new Map<number, Map<NodeId, { isKept: boolean }>>();

  constructor(world: World, hosts: () => readonly Host[], options: CheckOptions) {
    this.#world = world;
    this.#options = options;
    this.#hosts = hosts;
    this.#honesty = new Honesty(options.core);
  }

  get acknowledged(): number {
    return this.#facts.size;
  }

  /** How often a disk was put back: whoever counts copies over time must look again. */
  get restores(): number {
    return this.#restores;
  }

  fail(kind: Violation['kind'], promise: Promised | null, text: string): void {
    this.violations.push({ kind, promise, at: this.#world.now, text });
    this.#world.halt();
  }

  // ── while it goes on ──────────────────────────────────────────────────────────────────────────────────────────────

  stepped(host: Host, input: Input): void {
    const wrong = this.#honesty.stepped(host, input, this.#world.now);
    if (wrong !== null) this.fail('safety', 'P3', wrong);
  }

  emitted(host: Host, event: LatticeEvent): void {
    if (event.type === 'member' && event.counts) this.#met(host, event.peer);
    const wrong = this.#honesty.accused(host, event, this.#world.now);
    if (wrong !== null) this.fail('safety', 'P3', wrong);
  }

  /** The clock of a host was moved. */
  clockMoved(host: Host): void {
    this.#noteClock(host);
    this.#honesty.clockMoved(host, this.#world.now);
  }

  durable(host: Host, put: readonly VerifiedRecord[], removed: readonly VerifiedRecord[]): void {
    for (const record of removed) this.#checkCollected(host, record);
    this.#noteKept(host);
    for (const record of put) {
      this.#checkStamp(host, record);
      const other = this.#log.add(record, host.number, EPOCH_MS + this.#world.now);
      if (this.#doubled.has(dotOf(record))) this.#log.excuse(record.id, 'signed-twice');
      else if (other !== null)
        this.fail(
          'safety',
          'P1',
          `host ${host.number} has ${nameOf(record)} with the dot of ${nameOf(other)}`,
        );
    }
  }

  /**
   * @param restores how often a disk had been put back when the write began
   * @param wait how many it was to wait for
   */
  acknowledge(host: Host, outcome: Write, restores: number, wait: Wait | null): void {
    const need = this.#needOf(host, wait);
    if (outcome.acks < need)
      return this.fail('safety', 'P1', `a write that needed ${need} was acknowledged by ${outcome.acks}`);
    this.#checkClock(host);
    for (const { key, version } of outcome.written) {
      const id = version as RecordId;
      if (!this.#hasOrReplaced(host, id))
        return this.fail(
          'safety',
          'P1',
          `${key} was acknowledged and is not on the disk of host ${host.number}`,
        );
      if (outcome.acks < 2 || restores !== this.#restores) continue;
      const having = this.#hosts().filter((one) => this.#hasOrReplaced(one, id)).length;
      if (having < outcome.acks)
        return this.fail(
          'safety',
          'P1',
          `${key} was acknowledged by ${outcome.acks} and is on ${having} disks`,
        );
    }
  }

  fact(key: string, value: string, id: RecordId): void {
    this.#facts.set(key, { value, id });
  }

  /** Somebody tried to delete it: it may be gone, acknowledged or not. */
  deleting(key: string): void {
    this.#deletes.add(key);
  }

  willSignTwice(record: SignedRecord): void {
    this.#doubled.add(dotOf(record));
    this.#log.excuse(record.id, 'signed-twice');
  }

  /** What only this disk had is gone with it, and is nobody's fault. Call it before. */
  restoring(host: Host, backup: Platter): void {
    this.#restores += 1;
    this.#restored.add(host.number);
    this.#membersOf.delete(host.number);
    this.#log.wipe(host.number, new Set([...backup.records.values()].map(({ id }) => id)));
  }

  /** A record that nobody may take was offered. */
  forged(host: Host, key: string, wasTaken: boolean): void {
    if (wasTaken || host.core.replica.get(key) !== null)
      this.fail('safety', 'P6', `host ${host.number} took ${key}, which its author never signed`);
  }

  // ── once it has settled ───────────────────────────────────────────────────────────────────────────────────────────

  /** What these hosts' disks hold and nothing covers: after they have settled, each of them must have it. */
  held(hosts: readonly Host[]): readonly RecordId[] {
    const held = new Set(hosts.flatMap((host) => [...host.disk.ids()]));
    return [...held].filter((id) => {
      const logged = this.#log.find(id);
      return logged !== null && mustLive(logged);
    });
  }

  /** @param held what they had among them before */
  settledCore(hosts: readonly Host[], held: readonly RecordId[]): void {
    for (const id of held) {
      const logged = this.#log.find(id);
      if (logged === null || !mustLive(logged) || this.#log.isCovered(logged.record)) continue;
      const { record } = logged;
      for (const host of hosts) {
        if (record.value === null || host.core.replica.record(id) !== null) continue;
        return this.fail(
          'safety',
          'P1',
          `host ${host.number} lacks ${nameOf(record)}, which a member of its core had`,
        );
      }
    }
  }

  /** All hosts are up, connected, and have had time to write to their disks. */
  settled(hosts: readonly Host[]): void {
    this.checkRoots(hosts);
    const [first] = hosts;
    if (first === undefined || this.violations.length > 0) return;
    let of: SketchOf | null = null;
    for (const host of hosts) of = this.#checkSketch(host, of);
    for (const key of this.#log.keys) {
      this.#checkKey(first, key);
      // The others have the same records; what they show of a conflict is their own work.
      if (this.#log.of(key).length > 1) for (const host of hosts.slice(1)) this.#checkKey(host, key);
    }
    this.#checkFacts(first);
  }

  /** P8: equal roots, equal live records, on every pair; the disk, which no trie has a hand in, says which live. */
  checkRoots(hosts: readonly Host[]): void {
    const [first, ...others] = hosts;
    if (first === undefined) return;
    const ids = new Set(first.disk.ids());
    const root = first.core.replica.root();
    for (const host of others) {
      if (!first.disk.isIdle || !host.disk.isIdle) continue;
      const own = new Set(host.disk.ids());
      const areEqual = own.size === ids.size && [...own].every((id) => ids.has(id));
      if (areEqual === (host.core.replica.root() === root)) continue;
      const what = areEqual ? 'equal records and unlike roots' : 'equal roots and unlike records';
      return this.fail('safety', 'P8', `hosts ${first.number} and ${host.number} have ${what}`);
    }
  }

  #checkKey(host: Host, key: string): void {
    const expected = this.#log.expected(key);
    const view = host.core.replica.get(key);
    const live = view === null ? [] : [view.winner, ...view.siblings];
    const have = new Set(live.map(({ id }) => id));
    const hasValues = expected.some(({ value }) => value !== null);
    for (const record of expected) {
      if (have.has(record.id) || (record.value === null && (!hasValues || live.length === 0))) continue;
      const why = live.length === 0 ? 'nothing' : live.map(nameOf).join(', ');
      return this.fail(
        'safety',
        'P5',
        `host ${host.number} shows ${why} of ${key} and not ${nameOf(record)}`,
      );
    }
    for (const record of live) {
      const logged = this.#log.find(record.id);
      if (logged === null || !mustLive(logged) || !this.#log.isCovered(record)) continue;
      return this.fail(
        'safety',
        'P5',
        `host ${host.number} still shows ${nameOf(record)}, which was replaced`,
      );
    }
    const ranked = [...live].sort((a, b) => compareShown(b, a));
    if (ranked.some(({ id }, i) => live[i]?.id !== id))
      this.fail('safety', 'P5', `host ${host.number} shows the wrong winner of ${key}`);
  }

  #checkFacts(host: Host): void {
    for (const [key, { value, id }] of this.#facts) {
      const logged = this.#log.find(id);
      const isExcused = logged?.isWiped === true || logged?.excuse === 'signed-twice';
      if (isExcused || this.#deletes.has(key)) continue;
      const view = host.core.replica.get(key);
      const values = view === null ? [] : [view.winner, ...view.siblings].map((record) => record.value);
      if (!values.includes(value)) return this.fail('safety', 'P1', `${key} was acknowledged and is lost`);
    }
  }

  /** P1: who is met anew is met by a host that would count it no more; a majority without it is none. */
  #met(host: Host, member: NodeId): void {
    const met = this.#membersOf.get(host.number) ?? new Map<NodeId, { isKept: boolean }>();
    this.#membersOf.set(host.number, met);
    if (met.get(member)?.isKept === true && this.#options.core.policy.absenceMs >= LONG_MS)
      this.fail('safety', 'P1', `host ${host.number} had met ${member.slice(-4)} and forgot it`);
    met.set(member, { isKept: false });
  }

  /** Nothing waits for this disk: all that its core wanted kept is. A host that was killed has nothing waiting either, and lost it. */
  #noteKept(host: Host): void {
    if (!host.isUp || !host.disk.isIdle) return;
    for (const member of this.#membersOf.get(host.number)?.values() ?? []) member.isKept = true;
  }

  /** P5: a tombstone goes only when every member has seen it, or its value comes back from one that has not. */
  #checkCollected(host: Host, record: VerifiedRecord): void {
    const { isFullMesh, core } = this.#options;
    if (record.value !== null || !isFullMesh || core.policy.graceMs < LONG_MS) return;
    const logged = this.#log.find(record.id);
    if (logged === null || !mustLive(logged) || this.#log.isCovered(record)) return;
    const without = this.#hosts().find(
      (one) =>
        !this.#restored.has(one.number) &&
        !this.#hasOrReplaced(one, record.id) &&
        !one.core.replica.vector.has(record.dot),
    );
    if (without === undefined) return;
    this.fail(
      'safety',
      'P5',
      `host ${host.number} collected ${nameOf(record)}, which host ${without.number} lacks`,
    );
  }

  /** P5: a stamp from the future owns its key until then, so nobody takes it but who is as far ahead. */
  #checkStamp(host: Host, record: VerifiedRecord): void {
    if (record.dot.author === host.id) return;
    const limit = EPOCH_MS + this.#world.now + this.#options.core.aheadMaxMs + this.#noteClock(host).aheadMs;
    const tooFarMs = record.stamp.wallMs - limit;
    if (tooFarMs > MARGIN_MS)
      this.fail(
        'safety',
        'P5',
        `host ${host.number} took ${nameOf(record)}, ${Math.round(tooFarMs)} ms too far ahead`,
      );
  }

  /** P5: who has been told by everyone that its clock is wrong takes no writes. */
  #checkClock(host: Host): void {
    const { offsetMs } = this.#noteClock(host);
    const others = this.#hosts().filter((one) => one !== host);
    const areRight = others.every((one) => Math.abs(one.clockOffsetMs) < SKEW_MS);
    const isWrong = Math.abs(offsetMs) > this.#options.core.aheadMaxMs + 2 * SKEW_MS;
    if (isWrong && areRight && this.#honesty.hasAskedTheTime(host, this.#world.now))
      this.fail(
        'safety',
        'P5',
        `host ${host.number} took a write with its clock ${Math.round(offsetMs)} ms off`,
      );
  }

  /** How far its clock is off, by the world's; kept is how far it was ever ahead. */
  #noteClock(host: Host): { readonly aheadMs: number; readonly offsetMs: number } {
    const offsetMs = host.wallMs() - EPOCH_MS - this.#world.now;
    const aheadMs = Math.max(offsetMs, this.#aheadMs.get(host.number) ?? 0);
    this.#aheadMs.set(host.number, aheadMs);
    return { aheadMs, offsetMs };
  }

  /** Acknowledgements without which a write may not be said to be done; 1 where this host need not know all members. */
  #needOf(host: Host, wait: Wait | null): number {
    if (wait === null) return 1;
    if (typeof wait.need === 'number') return wait.need;
    const nodes = this.#hosts().length;
    const knowsAll = host.core.peers().length === nodes - 1 && this.#options.core.policy.graceMs >= LONG_MS;
    if (!knowsAll) return 1;
    return wait.need === 'all' ? nodes : Math.floor(nodes / 2) + 1;
  }

  /**
   * What a host tells of the difference to a peer's records is told by its sketch: it must be that of its own.
   *
   * @param known the sketch of what the host before has, made here
   * @returns that of what this one has
   */
  #checkSketch(host: Host, known: SketchOf | null): SketchOf | null {
    if (!host.disk.isIdle) return known;
    if (host.disk.size !== host.core.replica.recordCount() || host.disk.size !== host.disk.idCount) {
      this.fail(
        'safety',
        'P8',
        `host ${host.number} has ${host.disk.size} records on disk and others in memory`,
      );
      return known;
    }
    const { ids, estimator, symbols } = this.#sketchOf(host, known);
    const own = host.core.replica.sketch;
    const isOwn =
      isDeepStrictEqual(estimator, own.estimator.encode()) && isDeepStrictEqual(symbols, own.symbols.copy());
    if (!isOwn) this.fail('safety', 'P2', `host ${host.number} has a sketch of other records than its own`);
    return { ids, estimator, symbols };
  }

  /** Hosts that have settled mostly have the same: their sketch is made once. */
  #sketchOf({ disk }: Host, known: SketchOf | null): SketchOf {
    const ids = new Set(disk.ids());
    if (known !== null && ids.size === known.ids.size && [...ids].every((id) => known.ids.has(id)))
      return known;
    const sketch = new Sketch(SKETCH_SALT, this.#options.core.sketch);
    for (const { id } of disk.platter.records.values()) sketch.add(id);
    return { ids, estimator: sketch.estimator.encode(), symbols: sketch.symbols.copy() };
  }

  /** On this disk, or seen there and replaced since, or what replaces it was there first. */
  #hasOrReplaced(host: Host, id: RecordId): boolean {
    if (host.disk.has(id)) return true;
    const logged = this.#log.find(id);
    if (logged === null || !this.#log.isCovered(logged.record)) return false;
    const { record } = logged;
    const view = host.core.replica.get(record.key);
    const live = view === null ? [] : [view.winner, ...view.siblings];
    return host.core.replica.vector.has(record.dot) || live.some((one) => covers(one, record));
  }
}

function dotOf({ dot }: SignedRecord): string {
  return `${dot.author} ${dot.sequence}`;
}

function nameOf({ key, value, dot, id }: SignedRecord): string {
  const what = value === null ? 'deleted' : value.slice(0, 20);
  return `${key}=${what} (${dot.author.slice(-4)}:${dot.sequence}, ${id.slice(0, 6)})`;
}
