/**
 * From what nodes say on the wire to what the view takes. A node may be newer than its watcher: an event of a kind that
 * isn't known here is passed over, never an error.
 */
import { z } from 'zod';
import {
  EventEnvelope,
  ForcedModeSchema,
  LinkStateSchema,
  LungNameSchema,
  SyncModeSchema,
} from '../node/http/schemas.ts';
import type { DatedEvent, LatticeEvent } from '../node/protocol/events.ts';
import type { Digest, NodeId } from '../node/protocol/ids.ts';

/** @param text JSON of one server-sent event; null where it is no event, or none that is known here */
export function parseDatedEvent(text: string): DatedEvent | null {
  const envelope = EventEnvelope.safeParse(parseJson(text));
  if (!envelope.success) return null;
  const event = LatticeEventSchema.safeParse(envelope.data.event);
  return event.success ? { id: envelope.data.id, at: envelope.data.at, event: event.data } : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const nodeId = z.string().transform((text) => text as NodeId);
const digest = z.string().transform((text) => text as Digest);
const count = z.number().int().nonnegative();
const RungSchema = z.enum(['equal', 'delta', 'snapshot', 'sketch', 'descent']);

const LatticeEventSchema: z.ZodType<LatticeEvent> = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('lung'),
    lung: LungNameSchema,
    state: z.enum(['up', 'down']),
    reason: z.string(),
  }),
  z.object({ type: z.literal('mode'), from: SyncModeSchema, to: SyncModeSchema, reason: z.string() }),
  z.object({ type: z.literal('forced'), mode: ForcedModeSchema }),
  z.object({
    type: z.literal('peer'),
    peer: nodeId,
    lung: LungNameSchema,
    from: LinkStateSchema,
    to: LinkStateSchema,
    reason: z.string(),
  }),
  z.object({
    type: z.literal('root'),
    root: digest,
    size: count,
    cause: z.enum(['write', 'gossip', 'push', 'sync']),
  }),
  z.object({
    type: z.literal('divergence'),
    peer: nodeId,
    lung: LungNameSchema,
    local: digest,
    remote: digest,
  }),
  z.object({
    type: z.literal('reconciliation'),
    peer: nodeId,
    lung: LungNameSchema,
    rung: RungSchema,
    pulled: count,
    pushed: count,
    roundTrips: count,
    tookMs: z.number().nonnegative(),
    outcome: z.enum(['equal', 'unlike', 'failed']),
    reason: z.string(),
  }),
  z.object({
    type: z.literal('rung'),
    peer: nodeId,
    lung: LungNameSchema,
    rung: RungSchema,
    reason: z.string(),
  }),
  z.object({ type: z.literal('hedged'), records: count, members: count }),
  z.object({
    type: z.literal('limited'),
    peer: nodeId,
    lung: LungNameSchema,
    bytes: count,
    isRecord: z.boolean(),
  }),
  z.object({ type: z.literal('conflict'), key: z.string(), siblings: count }),
  z.object({
    type: z.literal('equivocation'),
    author: nodeId,
    sequence: count,
    records: z.tuple([z.string(), z.string()]),
  }),
  z.object({ type: z.literal('restored'), sequence: count, peer: nodeId }),
  z.object({ type: z.literal('member'), peer: nodeId, counts: z.boolean(), members: count }),
  z.object({ type: z.literal('stamps'), leadMs: z.number(), own: count }),
  z.object({
    type: z.literal('twin'),
    peer: nodeId,
    instance: z.string(),
    sinceMs: count,
    isOurs: z.boolean(),
    stops: z.boolean(),
  }),
  z.object({ type: z.literal('collected'), tombstones: count }),
  z.object({ type: z.literal('clock'), isSane: z.boolean(), offsetMs: z.number() }),
  z.object({
    type: z.literal('refused'),
    peer: nodeId.nullable(),
    lung: LungNameSchema,
    what: z.enum(['record', 'message', 'peer']),
    reason: z.string(),
  }),
]);
