/** The same fault on several nodes at once, as one fault: in force when the last has it, proven when all are. */
import { evidenceOf } from './fault.ts';
import type { Evidence, EvidenceOptions, Fault, Injected } from './fault.ts';
import type { FaultKind } from './spec.ts';

/** @param parts at least one */
export function together(parts: readonly [Fault, ...Fault[]]): Fault {
  return parts.length === 1 ? parts[0] : new Together(parts);
}

class Together implements Fault {
  readonly name: FaultKind;
  readonly means: string;
  readonly #parts: readonly Fault[];

  constructor(parts: readonly [Fault, ...Fault[]]) {
    this.name = parts[0].name;
    this.means = parts.map(({ means }) => means).join('; ');
    this.#parts = parts;
  }

  plan(): readonly string[] {
    return this.#parts.flatMap((part) => part.plan());
  }

  async inject(options?: EvidenceOptions): Promise<Injected> {
    const injected = await all(this.#parts.map((part) => part.inject(options)));
    return {
      beganAt: Math.min(...injected.map(({ beganAt }) => beganAt)),
      completeAt: Math.max(...injected.map(({ completeAt }) => completeAt)),
    };
  }

  async evidence(options?: EvidenceOptions): Promise<Evidence> {
    return merged(await all(this.#parts.map((part) => part.evidence(options))));
  }

  async lift(): Promise<number> {
    return Math.max(...(await all(this.#parts.map((part) => part.lift()))));
  }

  async heal(options?: EvidenceOptions): Promise<Evidence> {
    return merged(await all(this.#parts.map((part) => part.heal(options))));
  }
}

/** Waits for every one before it throws the first error: nothing may still be changing a node then. */
async function all<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function merged(parts: readonly Evidence[]): Evidence {
  return evidenceOf(
    parts.flatMap(({ checks }) => checks),
    {
      count: parts.reduce((sum, { dropped }) => sum + dropped, 0),
      bytes: parts.reduce((sum, { droppedBytes }) => sum + droppedBytes, 0),
    },
  );
}
