/**
 * P1: no acknowledged write is lost. Every version that was acknowledged must be among the final reads of every node with
 * its value, or a write must be there that may have known it; one that was certainly refused must be on none, and
 * nothing may be there that nobody wrote. What ended as `info` may be there or not, but once it was readable it stays.
 *
 * Each write that was looked for is classified as in Jepsen's set-full checker:
 * stable (readable everywhere), lost, stale (a node lacked it for long after it was acknowledged), never read.
 *
 * @see https://github.com/jepsen-io/jepsen, checker.clj, set-full
 */
import { TRIAL_KEYS } from '../faults/spec.ts';
import type { HistoryLine, LineOf } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';
import { liveVersions, mayReplace, Writes } from './operations.ts';
import type { Write } from './operations.ts';
import { quantile } from './quantile.ts';

/** Readable on all nodes only so long after it was acknowledged, a write counts as stale. */
const STALE_MS = 1_000;

export const lostWrites: Checker = {
  name: 'lost-writes',
  claim: 'no acknowledged write is lost',
  begin: (nodes) => new LostWrites(nodes),
};

/** A write, where it was last found, and what the readers saw of it. */
interface Followed extends Write {
  /** the last node whose final read had it: nodes are read one after the other */
  foundOn: string;
  readers: number;
  lastSeenAt: number;
  isLost: boolean;
}

class LostWrites implements Judge {
  readonly #nodes: readonly string[];
  readonly #writes = new Writes();
  readonly #byKey = new Map<string, Followed[]>();
  readonly #seenFirst = new Map<string, { readers: number; lastSeenAt: number }>();
  readonly #read = new Set<string>();
  readonly #violations: Violation[] = [];
  #isReading = false;
  #acknowledged = 0;

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    for (const write of this.#writes.take(line)) this.#follow(write);
    if (line.type === 'seen') this.#seen(line);
    if (line.type === 'entries') this.#found(line);
    if (line.type === 'final') this.#ended(line);
  }

  verdict(): Finding {
    const unread = this.#nodes.filter((node) => !this.#read.has(node));
    if (unread.length > 0) return unknown(`no final read of ${unread.join(', ')}`);
    if (this.#acknowledged === 0) return unknown('no write was acknowledged');
    const detail = `${this.#acknowledged} acknowledged, looked for on ${this.#nodes.length} nodes`;
    return judged(this.#violations, detail, this.#numbers());
  }

  #follow(write: Write): void {
    if (write.outcome === 'ok') this.#acknowledged += 1;
    // It may have been readable elsewhere before it was acknowledged here.
    const early = this.#seenFirst.get(write.key);
    this.#seenFirst.delete(write.key);
    const followed: Followed = {
      ...write,
      foundOn: '',
      readers: early?.readers ?? 0,
      lastSeenAt: early?.lastSeenAt ?? 0,
      isLost: false,
    };
    const known = this.#byKey.get(write.key);
    if (known === undefined) this.#byKey.set(write.key, [followed]);
    else known.push(followed);
  }

  #seen({ key, at }: LineOf<'seen'>): void {
    const [write] = this.#byKey.get(key) ?? [];
    const target = write ?? this.#seenFirst.get(key) ?? { readers: 0, lastSeenAt: 0 };
    target.readers += 1;
    target.lastSeenAt = Math.max(target.lastSeenAt, at);
    if (write === undefined) this.#seenFirst.set(key, target);
  }

  #found({ node, at, entries }: LineOf<'entries'>): void {
    this.#beginReading();
    for (const entry of entries) {
      if (entry.key.startsWith(TRIAL_KEYS)) continue;
      for (const live of liveVersions(entry)) {
        const what = this.#problemWith(entry.key, live, node);
        if (what !== null) this.#violations.push({ text: what, at, node });
      }
    }
  }

  /** The final reads begin: what has not ended by now, nobody knows. */
  #beginReading(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    for (const write of this.#writes.unended()) this.#follow(write);
  }

  #problemWith(
    key: string,
    { version, value }: { readonly version: string; readonly value: string },
    node: string,
  ): string | null {
    const writes = this.#byKey.get(key) ?? [];
    const known = writes.find((write) => write.version === version);
    if (known !== undefined) {
      known.foundOn = node;
      return known.value === value ? null : `${key} has another value on ${node} than was written`;
    }
    const alike = writes.filter((write) => write.version === null && write.value === value);
    for (const write of alike) write.foundOn = node;
    if (alike.some(({ outcome }) => outcome === 'info')) return null;
    if (alike.length > 0) return `${key} was refused and is on ${node}`;
    if (writes.length === 0) return `${key} is on ${node} and nobody wrote it`;
    return `${key} has a value on ${node} that nobody wrote`;
  }

  #ended({ node, at }: LineOf<'final'>): void {
    this.#beginReading();
    this.#read.add(node);
    for (const writes of this.#byKey.values()) {
      for (const write of writes) {
        const mustBe = write.outcome === 'ok' || (write.outcome === 'info' && write.readers > 0);
        if (!mustBe || write.foundOn === node) continue;
        // Whatever replaced it may have been replaced as well: in the end one of those is there.
        if (writes.some((other) => other.foundOn === node && mayReplace(other, write))) continue;
        write.isLost = true;
        const was = write.outcome === 'ok' ? 'was acknowledged' : 'was readable';
        this.#violations.push({ text: `${write.key} ${was} and is not on ${node}`, at, node });
      }
    }
  }

  #numbers(): Readonly<Record<string, number>> {
    const numbers = { acknowledged: this.#acknowledged, stable: 0, lost: 0, stale: 0, never_read: 0 };
    const latencies: number[] = [];
    for (const writes of this.#byKey.values()) {
      const [write] = writes;
      if (write === undefined || writes.length > 1 || write.outcome !== 'ok') continue;
      if (write.isLost) numbers.lost += 1;
      else if (write.readers === 0 && write.foundOn === '') numbers.never_read += 1;
      else numbers.stable += 1;
      if (write.readers < this.#nodes.length - 1 || this.#nodes.length < 2) continue;
      const latency = Math.max(0, write.lastSeenAt - write.endedAt);
      latencies.push(latency);
      if (latency > STALE_MS) numbers.stale += 1;
    }
    if (latencies.length === 0) return numbers;
    return {
      ...numbers,
      converged_ms_p50: quantile(latencies, 0.5),
      converged_ms_p99: quantile(latencies, 0.99),
      converged_ms_max: quantile(latencies, 1),
    };
  }
}
