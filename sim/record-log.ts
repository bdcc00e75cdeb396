/**
 * Every record that was ever on a disk, and what must live of it: the oracle of P1 and P5, in the plainest words, so that it shares
 * nothing with the merge that it judges.
 *
 * A record lives until another one covers it: one whose context has the record's dot and whose stamp is greater. What a restored
 * disk took from the world is no longer expected; nor is what its author signed twice, nor a stamp from the future.
 */
import type { RecordId } from '../node/protocol/ids.ts';
import type { SignedRecord } from '../node/protocol/state/record.ts';

export interface Logged {
  readonly record: SignedRecord;
  /** hosts that ever had it on disk, and whose disk was not put back to before since */
  readonly hosts: Set<number>;
  /** the only disks that had it were put back to before */
  isWiped: boolean;
  /** why nobody can expect it to live otherwise, or null */
  excuse: 'signed-twice' | 'from-the-future' | null;
}

export class RecordLog {
  readonly #byId = new Map<RecordId, Logged>();
  readonly #byKey = new Map<string, Logged[]>();
  readonly #byDot = new Map<string, Logged>();

  get keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  of(key: string): readonly Logged[] {
    return this.#byKey.get(key) ?? [];
  }

  find(id: RecordId): Logged | null {
    return this.#byId.get(id) ?? null;
  }

  /**
   * A record is on a host's disk.
   *
   * @param trueMs the right time, ms since the epoch
   * @returns the record that has its dot already, when there is one that still counts
   */
  add(record: SignedRecord, host: number, trueMs: number): SignedRecord | null {
    const known = this.#byId.get(record.id);
    if (known !== undefined) {
      known.hosts.add(host);
      known.isWiped = false;
      return null;
    }
    const excuse = record.stamp.wallMs > trueMs + FUTURE_MS ? 'from-the-future' : null;
    const logged: Logged = { record, hosts: new Set([host]), isWiped: false, excuse };
    this.#byId.set(record.id, logged);
    const ofKey = this.#byKey.get(record.key);
    if (ofKey === undefined) this.#byKey.set(record.key, [logged]);
    else ofKey.push(logged);
    const dot = `${record.dot.author} ${record.dot.sequence}`;
    const other = this.#byDot.get(dot);
    this.#byDot.set(dot, logged);
    // What nobody has any more may be named anew.
    if (other === undefined || other.isWiped) return null;
    return other.record;
  }

  /** A host's disk was put back: what only it had, and the backup has not, is gone with it, and is nobody's fault. */
  wipe(host: number, kept: ReadonlySet<RecordId>): void {
    for (const [id, logged] of this.#byId) {
      if (kept.has(id) || !logged.hosts.delete(host)) continue;
      if (logged.hosts.size === 0) logged.isWiped = true;
    }
  }

  excuse(id: RecordId, excuse: Logged['excuse']): void {
    const logged = this.#byId.get(id);
    if (logged !== undefined) logged.excuse = excuse;
  }

  /** Whether something that counts covers it, or its author wrote it anew because of its own clock. */
  isCovered(record: SignedRecord): boolean {
    return this.of(record.key).some(
      ({ record: other, isWiped }) =>
        !isWiped && other.id !== record.id && (covers(other, record) || isWrittenAnew(record, other)),
    );
  }

  /** Records of this key that must live on every node; tombstones among them may be collected where nothing else lives. */
  expected(key: string): readonly SignedRecord[] {
    return this.of(key)
      .filter((logged) => mustLive(logged) && !this.isCovered(logged.record))
      .map(({ record }) => record);
  }
}

/** A stamp this far ahead of the right time is refused by some and taken by others, whose clocks are ahead as well, in ms. */
const FUTURE_MS = 40_000;

/** Whether it must live somewhere until it is covered. */
export function mustLive({ isWiped, excuse }: Logged): boolean {
  return !isWiped && excuse === null;
}

/** Whether `by` replaces `record`. */
export function covers(by: SignedRecord, record: SignedRecord): boolean {
  return compareStamps(by, record) > 0 && knows(by, record);
}

/** What a clock that was off stamped is stamped again, with the old one in its context: then an earlier stamp replaces a later one. */
function isWrittenAnew(record: SignedRecord, by: SignedRecord): boolean {
  return by.dot.author === record.dot.author && by.value === record.value && knows(by, record);
}

function knows(by: SignedRecord, record: SignedRecord): boolean {
  return by.context.some(
    ({ author, sequence }) => author === record.dot.author && sequence >= record.dot.sequence,
  );
}

/** The greater is shown: by stamp, then author, then id. */
export function compareShown(a: SignedRecord, b: SignedRecord): number {
  return compareStamps(a, b) || compareTexts(a.dot.author, b.dot.author) || compareTexts(a.id, b.id);
}

function compareStamps(a: SignedRecord, b: SignedRecord): number {
  return a.stamp.wallMs - b.stamp.wallMs || a.stamp.counter - b.stamp.counter;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
