/**
 * What a lattice costs on paper: the formulas that stand beside what the simulator measures, and the sizes that follow from the number
 * of members alone, by the real codecs.
 */
import { ByteWriter } from '../node/protocol/codec.ts';
import { POLICY_DEFAULTS } from '../node/protocol/mode/policy.ts';
import { NEIGHBOURS_MAX } from '../node/protocol/monitor/neighbours.ts';
import { nodeIdOf } from '../node/protocol/ids.ts';
import { encodeKnowledge } from '../node/protocol/state/knowledge.ts';
import { VersionVector } from '../node/protocol/state/version-vector.ts';

/**
 * Hops to the last node: the ball around a node holds at most 1 + d + d(d−1) + d(d−1)² + … nodes, so there are no fewer. In a random
 * mesh there are few more, and packets that are quicker over more hops add some.
 */
export function leastRounds(nodes: number, degree: number): number {
  let reached = 1;
  let shell = degree;
  let rounds = 0;
  while (reached < nodes) {
    reached += shell;
    shell *= degree - 1;
    rounds += 1;
  }
  return rounds;
}

/** Copies of one batch: everyone hands it on over all links but the one it came by; the writer over all. */
export function copiesOfBatch(nodes: number, degree: number): number {
  return nodes * (degree - 1) + 1;
}

/** Heartbeats that a node sends in a second at most: to its neighbours, and to one of the others in turn. */
export function beatsPerSecond(links: number, isResting: boolean): number {
  const { restBeatMs, beatMs } = POLICY_DEFAULTS;
  return (Math.min(links, NEIGHBOURS_MAX + 1) * 1_000) / (isResting ? restBeatMs : beatMs);
}

/**
 * Polls that a node asks in a second: slow ones of its neighbours, and as many at most of the others; held ones, repeated at once, of those
 * neighbours that it knows over HTTP only, because it takes them for cut off from gossip. They are as frequent among the neighbours as among all.
 */
export function pollsPerSecond(linked: number, strangers: number): number {
  const { warmPollMs, eagerWaitMs, eagerGapMs } = POLICY_DEFAULTS;
  const known = linked + strangers;
  const neighbours = Math.min(known, NEIGHBOURS_MAX);
  const cutOff = (neighbours * strangers) / known;
  const slow = neighbours - cutOff + Math.min(known - neighbours, NEIGHBOURS_MAX);
  return (slow * 1_000) / warmPollMs + (cutOff * 1_000) / (eagerWaitMs + eagerGapMs);
}

export interface MemberBytes {
  /** a version vector in a message, when every member has written without a hole */
  readonly vector: number;
  /** what is stored with every commit: the vector, and the members' names */
  readonly knowledge: number;
}

const BYTES_MAX = 16_777_216;

/** Of a cluster in which every member has written: real encodings, not estimates. */
export function memberBytes(members: number): MemberBytes {
  const vector = new VersionVector();
  const names = Array.from({ length: members }, (_, i) => {
    const key = Buffer.alloc(32);
    key.writeUInt32BE(i + 1);
    return nodeIdOf(key);
  });
  for (const author of names) vector.add({ author, sequence: SEQUENCE });
  return {
    vector: vector.writeShort(new ByteWriter(BYTES_MAX)).finish().length,
    knowledge: encodeKnowledge({
      vector,
      members: names.map((id) => ({ id, silentMs: 0, heardAtMs: 0 })),
    }).length,
  };
}

/** A sequence of 2026: the time in µs of the author's start. */
const SEQUENCE = 1_767_225_600_000_000;
