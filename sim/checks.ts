/**
 * The promises, looked at from outside while a run goes on and once it has settled. What is broken becomes a sentence; the first
 * broken promise halts the world, because what follows proves nothing.
 */
import type { Input, WriteOutcome } from '../node/protocol/border.ts';
import type { CoreOptions } from '../node/protocol/core.ts';
import type { RecordId } from '../node/protocol/ids.ts';
import type { SignedRecord, VerifiedRecord } from '../node/protocol/state/record.ts';
import type { Platter } from './disk.ts';
import { Honesty } from './honesty.ts';
import type { Host, HostWatch } from './host.ts';
import { compareShown, covers, RecordLog } from './record-log.ts';
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

/** 2026-01-01, when every world begins */
const EPOCH_MS = 1_767_225_600_000;

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
  #restores = 0;

  constructor(world: World, hosts: () => readonly Host[], options: CoreOptions) {
    this.#world = world;
    this.#hosts = hosts;
    this.#honesty = new Honesty(options);
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

  durable(host: Host, put: readonly VerifiedRecord[]): void {
    for (const record of put) {
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

  /** @param restores how often a disk had been put back when the write began */
  acknowledge(host: Host, outcome: Write, restores: number): void {
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
    return [...held].filter((id) => this.#log.find(id)?.excuse === null);
  }

  /** @param held what they had among them before */
  settledCore(hosts: readonly Host[], held: readonly RecordId[]): void {
    for (const id of held) {
      const logged = this.#log.find(id);
      if (logged === null || logged.excuse !== null || this.#log.isCovered(logged.record)) continue;
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
      if (logged === null || logged.excuse !== null || !this.#log.isCovered(record)) continue;
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
      const isExcused = logged?.excuse === 'wiped' || logged?.excuse === 'signed-twice';
      if (isExcused || this.#deletes.has(key)) continue;
      const view = host.core.replica.get(key);
      const values = view === null ? [] : [view.winner, ...view.siblings].map((record) => record.value);
      if (!values.includes(value)) return this.fail('safety', 'P1', `${key} was acknowledged and is lost`);
    }
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
