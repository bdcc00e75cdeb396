/**
 * A partition of the process cluster: forwarders go silent, on the links and in the directions that the grudges name.
 * Evidence is what the forwarders saw: bytes kept back on those links, none passing there, and all other links as they were.
 */
import type { Forwarder, Silence } from './forwarder.ts';
import { evidenceOf } from './fault.ts';
import type { Evidence, Fault, Injected } from './fault.ts';
import { holdsGrudge } from './partition.ts';
import type { Scope, SpecOf } from './spec.ts';

/** What one lung of `from` dials to `to`. */
export interface CutLink {
  readonly from: string;
  readonly to: string;
  readonly lung: Exclude<Scope, 'both'>;
  readonly forwarder: Forwarder;
}

interface SilentLink {
  readonly link: CutLink;
  readonly silence: Silence;
}

export class LinkCut implements Fault {
  readonly name = 'partition';
  readonly means: string;
  readonly #silent: readonly SilentLink[];
  readonly #others: readonly CutLink[];

  /** @param links all that there are */
  constructor(spec: SpecOf<'partition'>, links: readonly CutLink[]) {
    this.#silent = links.flatMap((link) => {
      const silence = spec.scope === 'both' || spec.scope === link.lung ? silenceOf(spec, link) : null;
      return silence === null ? [] : [{ link, silence }];
    });
    const silent = new Set(this.#silent.map(({ link }) => link));
    this.#others = links.filter((link) => !silent.has(link));
    this.means = `userspace forwarders of ${silent.size} links (${spec.scope}) go silent`;
  }

  plan(): readonly string[] {
    return this.#silent.map(
      ({ link, silence }) =>
        `forwarder ${link.from} → ${link.to}, ${link.lung}: ${silence === 'both' ? 'neither side hears' : `the ${silence} does not hear`} the other`,
    );
  }

  async inject(): Promise<Injected> {
    const beganAt = Date.now();
    for (const { link, silence } of this.#silent) link.forwarder.cut(silence);
    return { beganAt, completeAt: Date.now() };
  }

  async evidence(): Promise<Evidence> {
    const dropped = this.#dropped();
    return evidenceOf(
      [
        { claim: 'every such link is silent', holds: this.#silent.every(({ link }) => link.forwarder.isCut) },
        { claim: 'traffic was kept back', holds: dropped.count > 0 },
        { claim: 'no other link is touched', holds: this.#others.every(({ forwarder }) => !forwarder.isCut) },
      ],
      dropped,
    );
  }

  async lift(): Promise<number> {
    for (const { link } of this.#silent) link.forwarder.heal();
    return Date.now();
  }

  async heal(): Promise<Evidence> {
    await this.lift();
    const passes = this.#silent.every(({ link }) => !link.forwarder.isCut);
    return evidenceOf([{ claim: 'new connections pass again', holds: passes }], this.#dropped());
  }

  #dropped(): { readonly count: number; readonly bytes: number } {
    let count = 0;
    let bytes = 0;
    for (const { link } of this.#silent) {
      const { counts } = link.forwarder;
      count += counts.chunks + counts.dials;
      bytes += counts.bytes;
    }
    return { count, bytes };
  }
}

/** Whoever holds a grudge does not hear the other side, whichever of the two dialled. */
function silenceOf(spec: SpecOf<'partition'>, { from, to }: CutLink): Silence | null {
  const dialler = holdsGrudge(spec.grudges, from, to);
  const target = holdsGrudge(spec.grudges, to, from);
  if (dialler && target) return 'both';
  if (dialler) return 'dialler';
  return target ? 'target' : null;
}
