/**
 * How each thing that happens changes the control room: one pure function, on the server and on the page.
 */
import type { LatticeEvent, SyncMode } from '../../node/protocol/events.ts';
import { emptyView, reduce } from '../view.ts';
import { groupsOf } from './groups.ts';
import type { FaultView, LogFact, LogLine, Recovery, RoomEvent, RoomView, TrafficSecond } from './model.ts';

/** Three minutes: what the traffic line shows. */
export const TRAFFIC_SECONDS = 180;
export const LOG_LINES_MAX = 300;
const FAULTS_MAX = 200;
const RECOVERIES_MAX = 200;
/** Keys that a client may send twice, under two nodes, with one value. */
const SENT_AGAIN_PREFIX = 'bank/';
/** Sessions that follow one another this quickly are one line of the log. */
const SAME_RECONCILIATION_MS = 5000;
/** Changes of mode that follow one another this quickly are one line of the log. */
const SAME_SWITCH_MS = 1500;
/** Sessions within this time after a heal are its work. */
const HEALING_MS = 5000;

export function emptyRoom(startedAt: number, world: RoomView['world']): RoomView {
  return {
    cluster: emptyView(startedAt),
    world,
    traffic: [],
    faults: [],
    recoveries: [],
    log: [],
    told: 0,
    tour: null,
    books: null,
    conflict: null,
  };
}

export function reduceRoom(room: RoomView, event: RoomEvent): RoomView {
  switch (event.type) {
    case 'begun': {
      const faults = [...room.faults, event.fault].slice(-FAULTS_MAX);
      return told({ ...room, faults }, event.at, { type: 'begun', deed: event.fault.deed });
    }
    case 'proof':
      return proven(room, event);
    case 'ended':
      return ended(room, event.id, event.at);
    case 'recovery':
      return recovered(room, event.recovery, event.at);
    case 'tour':
      return { ...room, tour: event.tour };
    case 'books':
      return { ...room, books: event.books };
    case 'conflict':
      return { ...room, conflict: event.conflict };
    case 'fact':
      return told(room, event.at, event.fact);
    case 'write':
      return {
        ...room,
        cluster: reduce(room.cluster, event),
        traffic: counted(room.traffic, Math.floor(event.at / 1000), event.outcome),
      };
    case 'reach': {
      const before = room.cluster.nodes.find(({ name }) => name === event.node);
      const next = { ...room, cluster: reduce(room.cluster, event) };
      if (before === undefined || before.reach === event.reach || before.reach === 'unknown') return next;
      return told(next, event.at, { type: 'reach', node: event.node, reach: event.reach });
    }
    case 'lattice': {
      const cluster = reduce(room.cluster, event);
      const wasTaken = lastEventOf(cluster, event.node) !== lastEventOf(room.cluster, event.node);
      const next = { ...room, cluster };
      return wasTaken ? noted(next, event.node, event.at, event.dated.event) : next;
    }
    case 'clock':
      return statesCounted({
        ...room,
        cluster: reduce(room.cluster, event),
        traffic: counted(room.traffic, Math.floor(event.at / 1000), null),
      });
    case 'node':
    case 'status':
    case 'fault':
    case 'story':
      return { ...room, cluster: reduce(room.cluster, event) };
  }
}

export function faultsInForce(room: RoomView): readonly FaultView[] {
  return room.faults.filter((fault) => fault.until === null);
}

function proven(room: RoomView, event: Extract<RoomEvent, { readonly type: 'proof' }>): RoomView {
  const fault = room.faults.find(({ id }) => id === event.id);
  if (fault === undefined) return room;
  const { proven: holds, dropped } = event;
  const faults = room.faults.map((one) => (one === fault ? { ...one, proven: holds, dropped } : one));
  // What is seen again while the fault lasts is counted, and told once.
  if (fault.proven === holds) return { ...room, faults };
  return told({ ...room, faults }, event.at, { type: 'proof', deed: fault.deed, proven: holds, dropped });
}

function ended(room: RoomView, id: number, at: number): RoomView {
  const fault = room.faults.find((one) => one.id === id && one.until === null);
  if (fault === undefined) return room;
  const faults = room.faults.map((one) => (one === fault ? { ...one, until: at } : one));
  return told({ ...room, faults }, at, { type: 'ended', deed: fault.deed });
}

function recovered(room: RoomView, recovery: Recovery, at: number): RoomView {
  const others = room.recoveries.filter(({ id }) => id !== recovery.id);
  const next = { ...room, recoveries: [...others, recovery].slice(-RECOVERIES_MAX) };
  if (recovery.until === null) return next;
  const tookMs = recovery.until - recovery.from;
  return told(next, at, { type: 'recovered', after: recovery.after, tookMs });
}

function lastEventOf(cluster: RoomView['cluster'], name: string): number | null {
  return cluster.nodes.find((node) => node.name === name)?.lastEventId ?? null;
}

/** What of a node's own events is worth a line. */
function noted(room: RoomView, node: string, at: number, event: LatticeEvent): RoomView {
  switch (event.type) {
    case 'mode':
      return switched(room, at, node, event.from, event.to);
    case 'reconciliation': {
      // Nodes compare notes all the time; what a heal brings back is worth telling.
      const isHealing = room.faults.some(({ until }) => until !== null && at - until < HEALING_MS);
      if (event.outcome === 'failed' || event.pulled === 0 || !isHealing) return room;
      return reconciled(room, at, node, event.pulled);
    }
    case 'conflict':
      // A transfer whose first sending was answered by nobody is sent again, and may be there twice with one value.
      if (event.key.startsWith(SENT_AGAIN_PREFIX)) return room;
      return room.log.some(({ fact }) => fact.type === 'conflict' && fact.key === event.key)
        ? room
        : told(room, at, { type: 'conflict', key: event.key, siblings: event.siblings });
    case 'lung':
    case 'forced':
    case 'peer':
    case 'root':
    case 'divergence':
    case 'rung':
    case 'hedged':
    case 'limited':
    case 'equivocation':
    case 'restored':
    case 'member':
    case 'collected':
    case 'stamps':
    case 'twin':
    case 'clock':
    case 'refused':
      return room;
  }
}

/** Nodes that change alike at nearly the same time are one line. */
function switched(room: RoomView, at: number, node: string, from: SyncMode, to: SyncMode): RoomView {
  const last = room.log.findLast(({ fact }) => fact.type === 'mode');
  const isSame = last?.fact.type === 'mode' && last.fact.from === from && last.fact.to === to;
  if (!isSame || at - last.at > SAME_SWITCH_MS || last.fact.type !== 'mode' || last.fact.nodes.includes(node))
    return told(room, at, { type: 'mode', nodes: [node], from, to });
  const fact = { ...last.fact, nodes: [...last.fact.nodes, node] };
  return { ...room, log: room.log.map((line) => (line === last ? { ...line, fact } : line)) };
}

/** What one node pulls, another one pushes: counted once. */
function reconciled(room: RoomView, at: number, node: string, records: number): RoomView {
  const last = room.log.findLast(({ fact }) => fact.type === 'reconciled');
  if (last?.fact.type !== 'reconciled' || at - last.at > SAME_RECONCILIATION_MS)
    return told(room, at, { type: 'reconciled', nodes: [node], records });
  const sum: LogFact = {
    type: 'reconciled',
    nodes: [...new Set([...last.fact.nodes, node])],
    records: last.fact.records + records,
  };
  return { ...room, log: room.log.map((line) => (line === last ? { ...line, fact: sum } : line)) };
}

/** Divergence and convergence of the whole are seen by looking at it, not told by a node. */
function statesCounted(room: RoomView): RoomView {
  const count = groupsOf(room.cluster).length;
  const before = room.log.findLast(({ fact }) => fact.type === 'states')?.fact;
  const known = before?.type === 'states' ? before.count : 1;
  return count === 0 || count === known ? room : told(room, room.cluster.now, { type: 'states', count });
}

/** In the order in which it happened, which is not always the order in which it was heard of. */
function told(room: RoomView, at: number, fact: LogFact): RoomView {
  const line: LogLine = { id: room.told + 1, at, fact };
  const later = room.log.findLastIndex((one) => one.at <= at) + 1;
  return { ...room, told: line.id, log: room.log.toSpliced(later, 0, line).slice(-LOG_LINES_MAX) };
}

/** Seconds without any answer are zeros, not gaps: that is what an outage looks like. */
function counted(
  traffic: readonly TrafficSecond[],
  second: number,
  outcome: 'acknowledged' | 'failed' | null,
): readonly TrafficSecond[] {
  const last = traffic.at(-1);
  if (last !== undefined && last.second > second) return traffic;
  if (last?.second === second) {
    return outcome === null ? traffic : [...traffic.slice(0, -1), { ...last, [outcome]: last[outcome] + 1 }];
  }
  const missing = last === undefined ? 1 : Math.min(second - last.second, TRAFFIC_SECONDS);
  const added = Array.from({ length: missing }, (_, index) => ({
    second: second - missing + 1 + index,
    acknowledged: 0,
    failed: 0,
  }));
  const next = [...traffic, ...added].slice(-TRAFFIC_SECONDS);
  return outcome === null ? next : counted(next, second, outcome);
}
