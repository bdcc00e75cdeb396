/**
 * What a store lost, as far as it can be told, and whether it is made good. Roots cannot tell: two nodes that are damaged in the same
 * place have equal ones. What can: the dots that this node had seen, by what its store kept beside the records, and how many of their
 * records were missing. It is made good by the records themselves, or what replaced them, whoever has them, damaged or not; or by a
 * member that lost nothing, has the same root, and has seen all that is still not accounted for.
 */
import { ByteReader, CodecError } from '../codec.ts';
import { nodeIdOf, PUBLIC_KEY_BYTES } from '../ids.ts';
import type { Dot } from './record.ts';
import type { Replica } from './replica.ts';
import type { VersionVector } from './version-vector.ts';

export interface LossFacts {
  /** what had been seen before; null where that is lost too */
  readonly seen: VersionVector | null;
  /** what was sound and live when the loss was found */
  readonly sound: VersionVector;
  /** records missing; null where nobody can tell */
  readonly records: number | null;
  /** of those, dots that can be read from what stands in their place: not to be relied on alone */
  readonly dots: readonly Dot[];
}

/** New records whose contexts are looked at: beyond, a sound member must vouch. */
const LOOKUPS_MAX = 10_000;

export class Loss {
  readonly #facts: LossFacts;

  constructor(facts: LossFacts) {
    this.#facts = facts;
  }

  /** What had been seen before; null where that is lost. */
  get seen(): VersionVector | null {
    return this.#facts.seen;
  }

  /** As many as were missing came back, or what replaced them, and those that can be told among them. */
  isMadeGoodIn(replica: Pick<Replica, 'vector' | 'recordsOf'>): boolean {
    const { seen, records, dots } = this.#facts;
    if (seen === null || records === null) return false;
    const back = this.#back(seen, replica);
    return back.count >= records && dots.every((dot) => !seen.has(dot) || back.has(dot));
  }

  /**
   * @param member what a member has seen that lost nothing and has the same root; null where it does not say
   */
  isVouchedFor(replica: Pick<Replica, 'vector' | 'recordsOf'>, member: VersionVector | null): boolean {
    const { seen, sound } = this.#facts;
    if (seen === null) return true;
    const open = seen.without(sound).without(this.#back(seen, replica)).without(replica.vector);
    return open.count === 0 || (member !== null && open.isWithin(member));
  }

  /** Of what had been seen and was not sound: what came since, and what records that came since replace. */
  #back(seen: VersionVector, replica: Pick<Replica, 'vector' | 'recordsOf'>): VersionVector {
    const { sound } = this.#facts;
    const fresh = replica.vector.without(sound);
    const unknown = fresh.without(seen);
    const back = fresh.without(unknown);
    let lookups = 0;
    for (const dot of unknown.dots(null)) {
      if ((lookups += 1) > LOOKUPS_MAX) break;
      for (const { context } of replica.recordsOf(dot))
        for (const replaced of context) if (seen.has(replaced) && !sound.has(replaced)) back.add(replaced);
    }
    return back;
  }
}

/** The dot of a record that is damaged elsewhere; nothing may rest on it alone. @returns null where none can be read */
export function dotHint(bytes: Uint8Array): Dot | null {
  try {
    const reader = new ByteReader(bytes);
    reader.bytes(2);
    return { author: nodeIdOf(reader.bytes(PUBLIC_KEY_BYTES)), sequence: reader.u64() };
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
