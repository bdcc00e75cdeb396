/** What a world's networks carried, by kind: messages and their real size in bytes, and how far each batch of gossip came. */
import { below, type Rng } from './rng.ts';

export type MessageKind = 'beat' | 'batch' | 'ask' | 'answer' | 'poll';

export interface Count {
  messages: number;
  bytes: number;
}

/** How one batch of fresh records spread. */
export interface Spread {
  readonly publishedAt: number;
  /** hosts that it reached over gossip, the publisher not counted */
  reached: number;
  /** links that carried it, duplicates included */
  carried: number;
  /** links from the publisher to the host that got it last */
  hops: number;
  /** virtual time of the last first delivery */
  lastAt: number;
}

/** Batches whose spread is kept; beyond, a random sample of that size. 10,000: the p99 of a long run within a few percent. */
const SPREADS_MAX = 10_000;

export class Traffic {
  readonly counts: Readonly<Record<MessageKind, Count>> = {
    beat: { messages: 0, bytes: 0 },
    batch: { messages: 0, bytes: 0 },
    ask: { messages: 0, bytes: 0 },
    answer: { messages: 0, bytes: 0 },
    poll: { messages: 0, bytes: 0 },
  };
  readonly spreads: Spread[] = [];
  batches = 0;

  count(kind: MessageKind, bytes: number): void {
    const count = this.counts[kind];
    count.messages += 1;
    count.bytes += bytes;
  }

  published(at: number, rng: Rng): Spread {
    const spread: Spread = { publishedAt: at, reached: 0, carried: 0, hops: 0, lastAt: at };
    this.batches += 1;
    if (this.spreads.length < SPREADS_MAX) this.spreads.push(spread);
    else {
      const place = below(rng, this.batches);
      if (place < SPREADS_MAX) this.spreads[place] = spread;
    }
    return spread;
  }
}
