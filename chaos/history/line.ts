/**
 * One line of a history, as it is written and as it is read: what a client, the observer or a fault did or saw, and when.
 * Checkers look at these lines and at nothing else, in the run and years later. A line is bounded in all its parts, so that
 * a history from anywhere can be read.
 *
 * Times are milliseconds since the run began, on the lab's clock. Lines come in the order in which they were noted; a
 * fault that tells afterwards when it struck is noted with that time.
 */
import { z } from 'zod';
import { FaultSpec } from '../faults/spec.ts';

/** Entries of one batch, or of one page of a final read. */
const ENTRIES_MAX = 1_000;
const NODES_MAX = 10_000;
const OPS_MAX = 1_000_000_000;
const MS_MAX = 1_000_000_000;
/** A fault may begin a moment before the run's first line, by the machine's other clock. */
const MS_MIN = -60_000;

const at = z.number().min(MS_MIN).max(MS_MAX);
const op = z.int().min(1).max(OPS_MAX);
const node = z.string().max(100);
const key = z.string().max(512);
const version = z.string().max(200);
const text = z.string().max(20_000);
const value = z.unknown();
const ms = z.number().min(0).max(MS_MAX);
const mode = z.enum(['P2P', 'HTTP', 'NONE']);
const forced = z.enum(['P2P', 'HTTP']).nullable();

/** A value that lost against the one shown, and is kept. */
const Sibling = z.strictObject({ version, value }).readonly();
const siblings = z.array(Sibling).max(1_000).readonly();
const Found = z.strictObject({ value, version, conflict: z.boolean(), siblings }).readonly();

const started = { type: z.literal('invoke'), at, op, node };
const Invoke = z.discriminatedUnion('f', [
  /** `knew`: the versions that the client had read of this key; given, the write replaces these and no others */
  z
    .strictObject({
      ...started,
      f: z.literal('write'),
      key,
      value,
      knew: z.array(version).max(1_000).readonly().optional(),
    })
    .readonly(),
  z
    .strictObject({
      ...started,
      f: z.literal('batch'),
      entries: z
        .array(z.tuple([key, value]).readonly())
        .max(ENTRIES_MAX)
        .readonly(),
    })
    .readonly(),
  z.strictObject({ ...started, f: z.literal('read'), key }).readonly(),
  /** all accounts of the bank, from all transfers that the node has */
  z.strictObject({ ...started, f: z.literal('balances') }).readonly(),
]);

const ended = { at, op, node };
const done = { type: z.literal('ok'), ...ended };
const Ok = z.discriminatedUnion('f', [
  z.strictObject({ ...done, f: z.literal('write'), version }).readonly(),
  /** in the order of the batch's entries */
  z
    .strictObject({ ...done, f: z.literal('batch'), versions: z.array(version).max(ENTRIES_MAX).readonly() })
    .readonly(),
  z.strictObject({ ...done, f: z.literal('read'), found: Found.nullable() }).readonly(),
  z
    .strictObject({
      ...done,
      f: z.literal('balances'),
      transfers: z.int().min(0),
      balances: z.record(z.string().max(100), z.number()),
    })
    .readonly(),
]);

/**
 * steady: everything is as it should be, the workloads go · healed: the last fault is lifted · fresh: a write (key)
 * acknowledged after the heal, which the final state must contain · recovered: all nodes in P2P with equal roots and the
 * fresh writes
 */
const Mark = z.enum(['steady', 'healed', 'fresh', 'recovered']);

export const HistoryLine = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('run'),
      at,
      version: z.literal(1),
      runId: z.string().max(100),
      scenario: z.string().max(100),
      world: z.string().max(100),
      seed: z.int().min(0),
      nodes: z.array(node).max(NODES_MAX).readonly(),
    })
    .readonly(),
  Invoke,
  Ok,
  /** certainly not done */
  z.strictObject({ type: z.literal('fail'), ...ended, reason: text }).readonly(),
  /** nobody knows whether it was done */
  z.strictObject({ type: z.literal('info'), ...ended, reason: text }).readonly(),
  /** the key was readable on this node for the first time */
  z.strictObject({ type: z.literal('seen'), at, node, key }).readonly(),
  /** a change in what a node says of itself; up: peers that it counts as alive, or suspects and still waits for */
  z
    .strictObject({
      type: z.literal('status'),
      at,
      node,
      mode,
      forced,
      p2pUp: z.int().min(0),
      httpUp: z.int().min(0),
    })
    .readonly(),
  z.strictObject({ type: z.literal('unreachable'), at, node, reason: text }).readonly(),
  /** the first digits of the node's Merkle root, whenever it has changed */
  z.strictObject({ type: z.literal('root'), at, node, root: z.string().max(64) }).readonly(),
  /**
   * A fault begins at the first place, is complete at the last one, begins to be lifted, is lifted, and is seen to be gone; unproven: nobody
   * knows whether it was in force. `nodes`: those
   * whose own process, disk or clock it strikes; a partition strikes links alone.
   */
  z
    .strictObject({
      type: z.literal('fault'),
      at,
      id: z.int().min(0),
      phase: z.enum(['begun', 'complete', 'unproven', 'lifting', 'lifted', 'gone']),
      spec: FaultSpec,
      nodes: z.array(node).max(NODES_MAX).readonly(),
    })
    .readonly(),
  /** somebody without the cluster's key asks for what is the members', or offers a record; `status` of the answer */
  z
    .strictObject({
      type: z.literal('intrusion'),
      at,
      node,
      what: text,
      status: z.int().min(100).max(599),
    })
    .readonly(),
  /** the operator forces a lung, or gives the choice back */
  z.strictObject({ type: z.literal('force'), at, node, mode: forced }).readonly(),
  z.strictObject({ type: z.literal('mark'), at, mark: Mark, node, key: key.optional() }).readonly(),
  /** `ms` null: it never happened; `budgetMs` null: there is none. `from`: when it began */
  z
    .strictObject({
      type: z.literal('measured'),
      at,
      from: at,
      what: text,
      ms: ms.nullable(),
      budgetMs: ms.nullable(),
      round: z.int().min(0),
    })
    .readonly(),
  /** something with a budget of which nobody knows how long it took, and why */
  z
    .strictObject({
      type: z.literal('unmeasured'),
      at,
      from: at,
      what: text,
      why: text,
      budgetMs: ms,
      round: z.int().min(0),
    })
    .readonly(),
  /**
   * How much too late the lab's own timers came in the last second; how long something waited for a processor, where the kernel
   * tells; how long the disk took at most for a block of the lab's own, which older histories do not say.
   */
  z
    .strictObject({
      type: z.literal('lag'),
      at,
      loopMs: ms,
      stalledMs: ms.nullable(),
      flushMs: ms.nullable().optional(),
    })
    .readonly(),
  /** a node that served ended, and nobody had made it; `said`: the end of its log, `exitCode` null: a signal */
  z.strictObject({ type: z.literal('died'), at, node, exitCode: z.int().nullable(), said: text }).readonly(),
  /** what must happen did not within its hard limit: the scenario ended here */
  z.strictObject({ type: z.literal('limit'), at, what: text, limitMs: ms, seen: text }).readonly(),
  /**
   * A page of all that this node has in the end; `final` ends its pages. `id`: the record that is shown; `version` is the
   * same, or of a conflict stands for all its records.
   */
  z
    .strictObject({
      type: z.literal('entries'),
      at,
      node,
      entries: z
        .array(
          z.strictObject({ key, value, version, id: version, conflict: z.boolean(), siblings }).readonly(),
        )
        .max(ENTRIES_MAX)
        .readonly(),
    })
    .readonly(),
  z
    .strictObject({
      type: z.literal('final'),
      at,
      node,
      root: z.string().max(64),
      /** of keys, as the node counts them */
      size: z.int().min(0),
    })
    .readonly(),
]);
export type HistoryLine = z.infer<typeof HistoryLine>;

/** The lines of one type. */
export type LineOf<T extends HistoryLine['type']> = Extract<HistoryLine, { readonly type: T }>;
