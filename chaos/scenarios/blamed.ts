/** Who is to blame when something does not come off: the node, or the fault. */
import { NodeStartError } from '../cluster/port.ts';
import { FaultError } from '../faults/fault.ts';
import { LimitExceededError } from './scenario.ts';

/** Every world waits for so long at most. */
const START_LIMIT_MS = 60_000;

/** A node that does not start again has failed; what else goes wrong with a fault is the fault's, and it is unproven. */
export async function blamed<T>(happening: Promise<T>): Promise<T> {
  try {
    return await happening;
  } catch (error) {
    if (error instanceof NodeStartError)
      throw new LimitExceededError(`a new start of ${error.node}`, START_LIMIT_MS, error.message);
    if (error instanceof FaultError) throw error;
    throw new FaultError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
