/**
 * Faults as data: what shall happen to whom, without a word on how this or that world does it. A schedule is a list of
 * these: it is materialised, written to a file, replayed, shrunk and printed, so a fault is plain JSON that names nodes.
 * `Cluster.fault` (../cluster/port.ts) makes a real one of it; `Cluster.supports` says where it cannot.
 */
import { z } from 'zod';

/** Keys under which a fault itself writes, to see whether it bites. No workload uses them, so no checker knows their writes. */
export const TRIAL_KEYS = 'lab/trial/';

const NODES_MAX = 20;

const nodeName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'is no name of a node');
const nodes = z
  .array(nodeName)
  .min(1)
  .max(NODES_MAX)
  .refine((names) => new Set(names).size === names.length, 'names a node twice')
  .readonly()
  .describe('whom it strikes');

/** Which lung's port, at both ends: a libp2p connection may have been dialled either way. */
const scope = z.enum(['p2p', 'http', 'both']);
export type Scope = z.infer<typeof scope>;

/** Who hears whom no more: node → those whose packets it does not take. ./partition.ts makes them. */
const grudges = z.record(nodeName, z.array(nodeName).max(NODES_MAX).readonly()).readonly();
export type Grudges = z.infer<typeof grudges>;

const PartitionSpec = z.strictObject({
  kind: z.literal('partition'),
  grudges,
  scope,
  how: z.enum(['drop', 'reset']).describe('drop: silence. reset: whoever sends is told at once'),
});

const LossSpec = z.strictObject({
  kind: z.literal('loss'),
  nodes,
  percent: z.int().min(1).max(99).describe('of the packets that reach these nodes'),
  scope,
});

const LatencySpec = z.strictObject({
  kind: z.literal('latency'),
  nodes,
  ms: z.int().min(1).max(10_000).describe('added to each way into and out of these nodes'),
  jitterMs: z.int().min(0).max(10_000).describe('at most so much more or less, never overtaking'),
  scope,
});

const BandwidthSpec = z.strictObject({
  kind: z.literal('bandwidth'),
  nodes,
  kBps: z.int().min(1).max(1_000_000).describe('kilobytes per second'),
});

const KillSpec = z.strictObject({ kind: z.literal('kill'), nodes });

const FreezeSpec = z.strictObject({
  kind: z.literal('freeze'),
  nodes,
  how: z.enum(['sigstop', 'cgroup']).describe('by a signal, or by the freezer of its control group'),
});
export type FreezeHow = z.infer<typeof FreezeSpec>['how'];

const RestartSpec = z.strictObject({
  kind: z.literal('restart'),
  nodes,
  how: z.enum(['sigterm', 'sigkill']).describe('asked to end, or killed'),
});

const RestartElsewhereSpec = z.strictObject({ kind: z.literal('restart-elsewhere'), nodes });

const ClockSpec = z.strictObject({
  kind: z.literal('clock'),
  nodes,
  jumpMs: z.int().min(-86_400_000).max(86_400_000).describe('the wall clock jumps by so much'),
  driftPpm: z.int().min(-500_000).max(500_000).describe('and runs so much too fast, in millionths'),
});

const DiskFullSpec = z.strictObject({ kind: z.literal('disk-full'), nodes });

const CorruptSpec = z.strictObject({
  kind: z.literal('corrupt'),
  nodes,
  how: z.enum(['torn', 'flipped']).describe('the end of the store is cut off, or one bit of it is another'),
  seed: z.int().min(0).max(0xffff_ffff).describe('which bytes'),
});

const LostWritesSpec = z.strictObject({ kind: z.literal('lost-writes'), nodes });

const DnsSpec = z.strictObject({ kind: z.literal('dns'), nodes });

const CpuHogSpec = z.strictObject({
  kind: z.literal('cpu-hog'),
  nodes,
  hogs: z.int().min(1).max(16).describe('busy processes beside each of these nodes'),
});

const ScaleSpec = z.strictObject({
  kind: z.literal('scale'),
  to: z.int().min(1).max(NODES_MAX).describe('so many nodes instead; the last ones come and go'),
});

const UpgradeSpec = z.strictObject({
  kind: z.literal('upgrade'),
  nodes,
  image: z.string().min(1).max(200).describe('one node after the other runs this image instead'),
});

export const FaultSpec = z.discriminatedUnion('kind', [
  PartitionSpec,
  LossSpec,
  LatencySpec,
  BandwidthSpec,
  KillSpec,
  FreezeSpec,
  RestartSpec,
  RestartElsewhereSpec,
  ClockSpec,
  DiskFullSpec,
  CorruptSpec,
  LostWritesSpec,
  DnsSpec,
  CpuHogSpec,
  ScaleSpec,
  UpgradeSpec,
]);
export type FaultSpec = z.infer<typeof FaultSpec>;
export type FaultKind = FaultSpec['kind'];
export type SpecOf<K extends FaultKind> = Extract<FaultSpec, { readonly kind: K }>;

/** Everybody whom the fault names, in the order in which it does. */
export function struckBy(spec: FaultSpec): readonly string[] {
  switch (spec.kind) {
    case 'partition':
      return [...new Set(Object.entries(spec.grudges).flatMap(([node, others]) => [node, ...others]))];
    case 'scale':
      return [];
    case 'loss':
    case 'latency':
    case 'bandwidth':
    case 'kill':
    case 'freeze':
    case 'restart':
    case 'restart-elsewhere':
    case 'clock':
    case 'disk-full':
    case 'corrupt':
    case 'lost-writes':
    case 'dns':
    case 'cpu-hog':
    case 'upgrade':
      return spec.nodes;
  }
}
