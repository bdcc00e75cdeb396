/**
 * A disk that keeps what was synced. A sync takes its time; while one is under way the next gathers (group commit, as the
 * driver does). A crash loses what gathered, and what was being synced is there afterwards or is not.
 */
import type { Effect } from '../node/protocol/border.ts';
import type { Kept } from '../node/protocol/core.ts';
import type { RecordId } from '../node/protocol/ids.ts';
import { decodeKnowledge, encodeKnowledge, type Knowledge } from '../node/protocol/state/knowledge.ts';
import type { VerifiedRecord } from '../node/protocol/state/record.ts';

type Persist = Effect & { readonly type: 'persist' };

/** What is on the platter: also what a backup is. */
export interface Platter {
  readonly records: ReadonlyMap<number, VerifiedRecord>;
  readonly meta: Kept | null;
}

/** One commit: what becomes durable together, and what waits for it. */
interface Group {
  readonly persists: Persist[];
  knowledge: Knowledge | null;
  readonly waiting: Effect[];
}

export interface DiskModules {
  /** begins a sync; `done` is called when the platter has it */
  readonly sync: (done: () => void) => void;
  /** what the commit brought and took, already on the platter */
  readonly durable: (put: readonly VerifiedRecord[], removed: readonly VerifiedRecord[]) => void;
  /** performs what waited for it */
  readonly perform: (effect: Effect) => void;
}

interface Applied {
  readonly put: readonly VerifiedRecord[];
  readonly removed: readonly VerifiedRecord[];
}

export class Disk {
  readonly #modules: DiskModules;
  #records = new Map<number, VerifiedRecord>();
  #ids = new Map<RecordId, number>();
  /** what of it are bytes is made when somebody reads them */
  #meta: (Omit<Kept, 'knowledge'> & { readonly knowledge: Knowledge | null }) | null = null;
  #gathering: Group | null = null;
  #committing: Group | null = null;

  constructor(modules: DiskModules) {
    this.#modules = modules;
  }

  get platter(): Platter {
    return { records: this.#records, meta: this.#kept() };
  }

  /** Whether everything that was to be durable is. */
  get isIdle(): boolean {
    return this.#committing === null && this.#gathering === null;
  }

  /** Whether this record is durable and lives. */
  has(id: RecordId): boolean {
    return this.#ids.has(id);
  }

  /** How many records are durable and live. */
  get size(): number {
    return this.#records.size;
  }

  /** The same, each once. */
  get idCount(): number {
    return this.#ids.size;
  }

  /** Ids of all durable live records. */
  ids(): Iterable<RecordId> {
    return this.#ids.keys();
  }

  record(id: RecordId): VerifiedRecord | null {
    const slot = this.#ids.get(id);
    return slot === undefined ? null : (this.#records.get(slot) ?? null);
  }

  persist(effect: Persist): void {
    this.#gathering ??= { persists: [], knowledge: null, waiting: [] };
    this.#gathering.persists.push(effect);
    this.#begin();
  }

  /** Performs an effect once everything that came before it is durable: at once when nothing waits. */
  afterDurable(effect: Effect): void {
    const group = this.#gathering ?? this.#committing;
    if (group === null) this.#modules.perform(effect);
    else group.waiting.push(effect);
  }

  /**
   * @param keepsSyncing whether the sync that the crash cut short had reached the platter all the same
   * @returns what it brought and took
   */
  crash(keepsSyncing: boolean): Applied {
    const group = this.#committing;
    this.#committing = null;
    this.#gathering = null;
    return group !== null && keepsSyncing ? this.#apply(group) : { put: [], removed: [] };
  }

  backup(): Platter {
    return { records: new Map(this.#records), meta: this.#kept() };
  }

  restore({ records, meta }: Platter): void {
    this.#records = new Map(records);
    this.#ids = new Map([...records].map(([slot, { id }]) => [id, slot]));
    const knowledge = meta?.knowledge ?? null;
    this.#meta = meta && { ...meta, knowledge: knowledge && decodeKnowledge(knowledge) };
  }

  #kept(): Kept | null {
    const knowledge = this.#meta?.knowledge ?? null;
    return this.#meta && { ...this.#meta, knowledge: knowledge && encodeKnowledge(knowledge) };
  }

  #begin(): void {
    const group = this.#gathering;
    if (group === null || this.#committing !== null) return;
    this.#gathering = null;
    this.#committing = group;
    group.knowledge = group.persists.at(-1)?.knowledge() ?? null;
    this.#modules.sync(() => {
      if (this.#committing !== group) return;
      const { put, removed } = this.#apply(group);
      this.#committing = null;
      this.#modules.durable(put, removed);
      for (const effect of group.waiting) this.#modules.perform(effect);
      this.#begin();
    });
  }

  #apply({ persists, knowledge }: Group): Applied {
    const all: VerifiedRecord[] = [];
    const removed: VerifiedRecord[] = [];
    for (const { put, remove, sequence, wallMs, counter } of persists) {
      for (const { slot, record } of put) {
        // The core puts only what was verified before it came in.
        const own = record as VerifiedRecord;
        this.#records.set(slot, own);
        this.#ids.set(own.id, slot);
        all.push(own);
      }
      for (const slot of remove) {
        const gone = this.#remove(slot);
        if (gone !== null) removed.push(gone);
      }
      this.#meta = { sequence, wallMs, counter, knowledge };
    }
    return { put: all, removed };
  }

  #remove(slot: number): VerifiedRecord | null {
    const record = this.#records.get(slot);
    if (record === undefined) return null;
    this.#records.delete(slot);
    if (this.#ids.get(record.id) === slot) this.#ids.delete(record.id);
    return record;
  }
}
