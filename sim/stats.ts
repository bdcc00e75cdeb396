/** What a run cost: messages, bytes, hops, rounds. */
import type { LatticeEvent } from '../node/protocol/events.ts';
import type { Host } from './host.ts';
import type { Count, MessageKind } from './traffic.ts';
import type { World } from './world.ts';

/** Of something measured many times; all 0 when it never was. */
interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface RunStats {
  readonly nodes: number;
  readonly writes: number;
  readonly messages: Readonly<Record<MessageKind, Count>>;
  /** of all kinds */
  readonly bytes: number;
  /** batches of gossip, and links that carried one, duplicates included */
  readonly batches: number;
  readonly batchMessages: number;
  /** gossip messages of the whole cluster per write; 0 without writes */
  readonly messagesPerWrite: number;
  /** links from the publisher of a batch to the host that got it last over gossip, of batches that reached at least half of all */
  readonly lastHop: Distribution;
  /** virtual ms until then */
  readonly lastDeliveryMs: Distribution;
  /** anti-entropy of the whole run, and of the last heal until all had one root */
  readonly sessions: number;
  readonly roundTrips: number;
  readonly healSessions: number;
  readonly healBytes: number;
  readonly events: Readonly<Partial<Record<LatticeEvent['type'], number>>>;
}

export function statsOf(
  world: World,
  hosts: readonly Host[],
  writes: number,
  healSessions: number,
  healBytes: number,
): RunStats {
  const { counts, spreads, batches } = world.traffic;
  const whole = spreads.filter(({ reached }) => 2 * reached >= hosts.length - 1);
  const events: Partial<Record<LatticeEvent['type'], number>> = {};
  let sessions = 0;
  let roundTrips = 0;
  for (const { tally } of hosts) {
    sessions += tally.sessions;
    roundTrips += tally.roundTrips;
    for (const [type, count] of tally.events) events[type] = (events[type] ?? 0) + count;
  }
  return {
    nodes: hosts.length,
    writes,
    messages: { ...counts },
    bytes: Object.values(counts).reduce((sum, { bytes }) => sum + bytes, 0),
    batches,
    batchMessages: counts.batch.messages,
    messagesPerWrite: writes === 0 ? 0 : counts.batch.messages / writes,
    lastHop: distributionOf(whole.map(({ hops }) => hops)),
    lastDeliveryMs: distributionOf(whole.map(({ lastAt, publishedAt }) => lastAt - publishedAt)),
    sessions,
    roundTrips,
    healSessions,
    healBytes,
    events,
  };
}

function distributionOf(values: readonly number[]): Distribution {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
