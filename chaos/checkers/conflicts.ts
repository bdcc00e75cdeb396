/**
 * P5: no conflict is swallowed. Two writes to one key at nodes that a partition held apart did not know of each other: in
 * the end both are there, one of them as the winner, the same on every node, and the reader is told. What a write knew it
 * replaces, and it does not come back.
 */
import type { HistoryLine, LineOf } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';
import { liveVersions, mayReplace, versionOf, Writes } from './operations.ts';
import type { Write } from './operations.ts';
import { cutsLink, FaultWindows, isAnythingStarted } from './windows.ts';
import type { FaultWindow } from './windows.ts';

export const conflictsSurfaced: Checker = {
  name: 'conflicts-surfaced',
  claim: 'writes that did not know of each other are both kept, with one winner, and told',
  begin: (nodes) => new ConflictsSurfaced(nodes),
};

export const SHARED_PREFIX = 'shared/';

class ConflictsSurfaced implements Judge {
  readonly #nodes: readonly string[];
  readonly #windows = new FaultWindows();
  readonly #writes = new Writes();
  readonly #byKey = new Map<string, Write[]>();
  /** by key: what the first node showed in the end */
  readonly #shown = new Map<string, string>();
  readonly #read = new Set<string>();
  readonly #violations: Violation[] = [];
  #apart = 0;
  #resolved = 0;

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    this.#windows.take(line);
    for (const write of this.#writes.take(line)) {
      if (!write.key.startsWith(SHARED_PREFIX) || write.outcome === 'fail') continue;
      const known = this.#byKey.get(write.key);
      if (known === undefined) this.#byKey.set(write.key, [write]);
      else known.push(write);
    }
    if (line.type === 'entries')
      for (const entry of line.entries) if (entry.key.startsWith(SHARED_PREFIX)) this.#check(line, entry);
    if (line.type === 'final') this.#read.add(line.node);
  }

  verdict(): Finding {
    const unread = this.#nodes.filter((node) => !this.#read.has(node));
    if (unread.length > 0) return unknown(`no final read of ${unread.join(', ')}`);
    if (this.#violations.length === 0 && this.#apart === 0)
      return unknown('no two writes to one key were provably apart');
    return judged(
      this.#violations,
      `${this.#apart} conflicts provably made and told, ${this.#resolved} resolved for good`,
    );
  }

  #check({ at, node }: LineOf<'entries'>, entry: LineOf<'entries'>['entries'][number]): void {
    const { key, id, siblings, conflict } = entry;
    const isFirst = this.#read.size === 0;
    const live = new Set([id, ...siblings.map((sibling) => sibling.version)]);
    const say = (text: string): void => void this.#violations.push({ text, at, node });

    const shown = `${id} over ${[...live].toSorted().join(' ')}`;
    const first = this.#shown.get(key);
    if (first === undefined) this.#shown.set(key, shown);
    else if (first !== shown)
      say(`${node} shows another winner or other siblings of ${key} than the first node`);
    if (live.size > 1 && !conflict)
      say(`${node} has ${live.size} versions of ${key} and tells of no conflict`);

    const writes = this.#byKey.get(key) ?? [];
    for (const write of writes) {
      for (const knew of write.outcome === 'ok' ? replacedBy(write, writes) : []) {
        if (live.has(knew)) say(`${key}: what a write had replaced is back on ${node}`);
        else if (isFirst) this.#resolved += 1;
      }
    }
    const shownHere = liveVersions(entry);
    const there = writes.filter((write) =>
      shownHere.some(({ version, value }) =>
        write.version === null ? write.value === value : write.version === version,
      ),
    );
    for (const [i, one] of writes.entries()) {
      for (const other of writes.slice(i + 1)) this.#checkPair(one, other, there, isFirst, say);
    }
  }

  #checkPair(
    one: Write,
    other: Write,
    there: readonly Write[],
    isFirst: boolean,
    say: (text: string) => void,
  ): void {
    if (!this.#areApart(one, other)) return;
    if (isFirst) this.#apart += 1;
    for (const [mine, theirs] of [
      [one, other],
      [other, one],
    ] as const) {
      // Whatever replaced it may have been replaced as well: in the end one of those is there.
      const isReplaced = there.some((third) => mayReplace(third, mine) && !this.#areApart(third, mine));
      if (!there.includes(mine) && !isReplaced)
        say(`${mine.key}: the write at ${mine.node} did not know the one at ${theirs.node}, and is gone`);
    }
  }

  /** From before the first began until both had ended, the same partition stood between their nodes, on both lungs. */
  #areApart(one: Write, other: Write): boolean {
    // One of which nobody knows when it was done may have been done after all.
    if (one.outcome !== 'ok' || other.outcome !== 'ok') return false;
    const from = Math.min(one.invokedAt, other.invokedAt);
    const to = Math.max(one.endedAt, other.endedAt);
    if (isAnythingStarted(this.#windows.all, from, to)) return false;
    return this.#windows.all.some(
      (window) =>
        window.isProven &&
        window.completeAt < from &&
        window.liftedAt > to &&
        this.#separates(window, one.node, other.node),
    );
  }

  /** No way round either: nobody reaches both, over however many others. */
  #separates(window: FaultWindow, a: string, b: string): boolean {
    const reached = new Set([a]);
    for (const from of reached) {
      for (const to of this.#nodes) {
        const isClosed = cutsLink(window, from, to, 'p2p') && cutsLink(window, from, to, 'http');
        if (!isClosed) reached.add(to);
      }
    }
    return !reached.has(b);
  }
}

/** The records that a write knew: of a conflict it named the version of all, and the siblings; the winner follows. */
function replacedBy({ knew }: Write, writes: readonly Write[]): readonly string[] {
  const [named, ...siblings] = knew ?? [];
  if (named === undefined || siblings.length === 0) return knew ?? [];
  const winner = writes.find(
    ({ version }) => version !== null && versionOf([version, ...siblings]) === named,
  );
  return winner?.version === undefined || winner.version === null ? siblings : [winner.version, ...siblings];
}
