/**
 * Busy neighbours: processes beside the node that do nothing but use processor time. Each ends by itself after a while,
 * should the lab die. Evidence is that they live, and how much they have used.
 */
import { StepFault } from './step-fault.ts';

export interface Hogs {
  /** how many of them live */
  alive(): Promise<number>;
  /** processor time that they, or everything beside them in their box, have used, ms */
  cpuMs(): Promise<number>;
  stop(): Promise<void>;
}

export interface HoggedNode {
  readonly name: string;
  /** Starts so many busy processes where the node runs. */
  hog(count: number): Promise<Hogs>;
}

/** After it, a hog ends by itself. */
export const HOG_SECONDS_MAX = 600;
/** Of so much processor time the hogs' part shows; a healthy node uses a hundredth of it. */
const USED_MS_MIN = 500;

export function cpuHog(count: number, node: HoggedNode): StepFault {
  let hogs: Hogs | null = null;
  let before = 0;
  return new StepFault({
    name: 'cpu-hog',
    means: `${count} busy processes beside ${node.name}, for ${HOG_SECONDS_MAX} s at most`,
    back: 'SIGKILL to each of them',
    inject: async () => {
      hogs = await node.hog(count);
      before = await hogs.cpuMs();
    },
    bites: async () => {
      const alive = (await hogs?.alive()) ?? 0;
      const usedMs = ((await hogs?.cpuMs()) ?? 0) - before;
      return [
        { claim: `${node.name}: ${alive} of ${count} busy processes live`, holds: alive === count },
        {
          claim: `${node.name}: ${Math.round(usedMs)} ms of processor time went by there (${USED_MS_MIN} at least)`,
          holds: usedMs >= USED_MS_MIN,
        },
      ];
    },
    lift: async () => hogs?.stop(),
    healed: async () => {
      const alive = (await hogs?.alive()) ?? 0;
      return [{ claim: `${node.name}: ${alive} busy processes live`, holds: alive === 0 }];
    },
  });
}
