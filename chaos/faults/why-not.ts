/** Which world can do what: for every fault null, or the reason why not, in words for a person. Pure; what the machine has is told. */
import { isMutual } from './partition.ts';
import type { FaultSpec } from './spec.ts';

/** null: it is there; else why it is not. */
export interface Means {
  readonly clocks: string | null;
  readonly smallDisks: string | null;
  /** file systems that lose what was not flushed */
  readonly powerCuts: string | null;
}

/** A volume lies on the machine's own file system, and one in memory forgets nothing until it forgets everything. */
export const NO_POWER_CUTS = 'the lab takes the power only from disks of processes';

export function whyNotInProcesses(spec: FaultSpec, means: Means): string | null {
  switch (spec.kind) {
    case 'partition':
      if (spec.how === 'drop' || isMutual(spec.grudges)) return null;
      return 'a connection that a forwarder resets is reset for both ends, not for one';
    case 'freeze':
      return spec.how === 'sigstop' ? null : 'these processes have no control group of their own';
    case 'latency':
    case 'bandwidth':
    case 'kill':
    case 'restart':
    case 'restart-elsewhere':
    case 'corrupt':
    case 'cpu-hog':
    case 'scale':
      return null;
    case 'clock':
      return means.clocks;
    case 'disk-full':
      return means.smallDisks;
    case 'lost-writes':
      return means.powerCuts;
    case 'loss':
      return 'a forwarder sees a stream, not its packets';
    case 'dns':
      return 'nodes on loopback are found by address, not by name';
    case 'upgrade':
      return 'processes run the source at hand: there is no other version';
  }
}

/** @param hasImage whether the engine has it */
export function whyNotInContainers(
  spec: FaultSpec,
  means: Means,
  hasImage: (name: string) => boolean,
): string | null {
  switch (spec.kind) {
    case 'partition':
    case 'loss':
    case 'latency':
    case 'bandwidth':
    case 'dns':
    case 'kill':
    case 'freeze':
    case 'restart':
    case 'restart-elsewhere':
    case 'corrupt':
    case 'cpu-hog':
    case 'scale':
      return null;
    case 'upgrade':
      return hasImage(spec.image) ? null : `the engine has no image ${spec.image}`;
    case 'clock':
      return means.clocks;
    case 'disk-full':
      return means.smallDisks;
    case 'lost-writes':
      return means.powerCuts;
  }
}
