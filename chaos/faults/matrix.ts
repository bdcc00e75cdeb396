/** A matrix of probes that must find exactly what all faults in force together intend. On a busy machine an answer may come late for once. */
import type { Check } from './fault.ts';

const LOOKS_MAX = 3;

/** One probe, and what to say of it where it found something else. */
export interface Cell {
  readonly isAsWanted: boolean;
  readonly found: string;
}

/** @param look asks everybody once @param everything what is asked, in words */
export async function checkMatrix(look: () => Promise<readonly Cell[]>, everything: string): Promise<Check> {
  for (let looks = 1; ; looks += 1) {
    const cells = await look();
    const unlike = cells.filter(({ isAsWanted }) => !isAsWanted);
    if (unlike.length > 0 && looks < LOOKS_MAX) continue;
    const late = looks === 1 ? '' : `, at look ${looks}`;
    return {
      claim:
        unlike.length === 0
          ? `all ${cells.length} probes (${everything}) found what they should${late}`
          : `probes found: ${unlike.map(({ found }) => found).join('; ')}`,
      // Where nobody was asked, nothing was found.
      holds: unlike.length === 0 && cells.length > 0,
    };
  }
}
