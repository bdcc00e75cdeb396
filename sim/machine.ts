/** What a lung needs of the simulated machine that it is in. */
import type { Input } from '../node/protocol/border.ts';
import type { NodeId } from '../node/protocol/ids.ts';
import type { Planned } from './heap.ts';

export interface Machine {
  readonly id: NodeId;
  /** its place in the world, from 0 */
  readonly number: number;
  readonly isUp: boolean;
  /** grows with every start: what an earlier life planned does not reach a later one */
  readonly life: number;
  step(input: Input): void;
  /** Something arrived: at once, when the machine wakes up, or never because it is down. */
  receive(run: () => void): void;
  /** Plans something of this life only, by this machine's own idea of a millisecond. */
  later(ms: number, run: () => void): Planned;
}
