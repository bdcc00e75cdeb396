/**
 * The cuts of the process cluster: forwarders from and to one node go silent. Evidence is what the forwarders saw: bytes
 * kept back on the node's links, none passing there, and all other links as they were.
 */
import type { Forwarder, Silence } from './forwarder.ts';
import { evidenceOf } from './fault.ts';
import type { Evidence, Fault, Injected } from './fault.ts';

export interface CutLink {
  readonly from: string;
  readonly to: string;
  readonly forwarder: Forwarder;
}

export interface LinkCutOptions {
  readonly name: string;
  /** true: the node hears nobody, and is still heard on the connections that there are */
  readonly oneWay: boolean;
}

export class LinkCut implements Fault {
  readonly name: string;
  readonly means: string;
  readonly #node: string;
  readonly #oneWay: boolean;
  readonly #links: readonly CutLink[];
  readonly #others: readonly CutLink[];

  /** @param links those of the node, both directions; @param others those that must stay as they are */
  constructor(
    node: { readonly name: string },
    links: readonly CutLink[],
    others: readonly CutLink[],
    options: LinkCutOptions,
  ) {
    this.name = options.name;
    this.#node = node.name;
    this.#oneWay = options.oneWay;
    const ways = options.oneWay ? 'towards it' : 'both ways';
    this.means = `userspace forwarders of ${node.name}'s ${links.length} links go silent, ${ways}`;
    this.#links = links;
    this.#others = others;
  }

  async inject(): Promise<Injected> {
    const beganAt = Date.now();
    for (const link of this.#links) link.forwarder.cut(this.#silenceOf(link));
    return { beganAt, completeAt: Date.now() };
  }

  async evidence(): Promise<Evidence> {
    const dropped = this.#dropped();
    return evidenceOf(
      [
        {
          claim: 'every such link of the node is silent',
          holds: this.#links.every(({ forwarder }) => forwarder.isCut),
        },
        { claim: 'traffic was kept back', holds: dropped.count > 0 },
        { claim: 'no other link is touched', holds: this.#others.every(({ forwarder }) => !forwarder.isCut) },
      ],
      dropped,
    );
  }

  async lift(): Promise<number> {
    for (const { forwarder } of this.#links) forwarder.heal();
    return Date.now();
  }

  async heal(): Promise<Evidence> {
    await this.lift();
    return evidenceOf(
      [
        {
          claim: 'new connections pass again',
          holds: this.#links.every(({ forwarder }) => !forwarder.isCut),
        },
      ],
      this.#dropped(),
    );
  }

  #silenceOf(link: CutLink): Silence {
    if (!this.#oneWay) return 'both';
    return link.from === this.#node ? 'dialler' : 'target';
  }

  #dropped(): { readonly count: number; readonly bytes: number } {
    let count = 0;
    let bytes = 0;
    for (const { forwarder } of this.#links) {
      count += forwarder.counts.chunks + forwarder.counts.dials;
      bytes += forwarder.counts.bytes;
    }
    return { count, bytes };
  }
}
