/** What tests of lungs share: a real clock, identities from seeds, a recorder of events, polling with a budget. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { Clock, Identity, Logger, Lung, LungEvent } from '../../node/ports.ts';
import type { Beacon } from '../../node/protocol/border.ts';
import { nodeIdOf } from '../../node/protocol/ids.ts';
import type { Digest, NodeId } from '../../node/protocol/ids.ts';

export const realClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
};

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** @param seedByte names the identity: the same byte, the same node */
export function identityFrom(seedByte: number): Identity {
  const seed = new Uint8Array(32).fill(seedByte);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = new Uint8Array(spki.subarray(spki.length - 32));
  return {
    id: nodeIdOf(publicKey),
    publicKey,
    seed,
    sign: (bytes) => new Uint8Array(sign(null, bytes, key)),
  };
}

export function beaconOf(digit: string, records: number): Beacon {
  return {
    root: digit.repeat(64) as Digest,
    records,
    wallMs: null,
    isWatching: false,
    isResting: false,
    isHealing: false,
    vector: null,
  };
}

/** A started lung and everything it said. */
export class Recorded {
  readonly lung: Lung;
  readonly id: NodeId;
  readonly events: LungEvent[] = [];
  /** called for each question; null refuses, undefined leaves it open */
  onAsked: (bytes: Uint8Array) => Uint8Array | null | undefined = () => null;

  constructor(lung: Lung, id: NodeId) {
    this.lung = lung;
    this.id = id;
  }

  async start(): Promise<void> {
    await this.lung.start((event) => {
      this.events.push(event);
      if (event.type !== 'asked') return;
      const reply = this.onAsked(event.bytes);
      if (reply !== undefined) event.answer(reply);
    });
  }

  all<T extends LungEvent['type']>(type: T): Extract<LungEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<LungEvent, { type: T }> => event.type === type);
  }

  /** Whether the last that was said of the link to this peer is `up`. */
  isLinked(peer: NodeId): boolean {
    return this.all('link').findLast((event) => event.peer === peer)?.state === 'up';
  }
}

/** Resolves with the ms it took until `claim` held; rejects naming `what` after `budgetMs`. */
export async function until(what: string, claim: () => boolean, budgetMs = 10_000): Promise<number> {
  const startedMs = performance.now();
  while (!claim()) {
    if (performance.now() - startedMs > budgetMs) throw new Error(`not within ${budgetMs} ms: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
  return performance.now() - startedMs;
}

/** Resolves when both see each other. */
export async function linked(a: Recorded, b: Recorded, budgetMs = 10_000): Promise<number> {
  return until('linked both ways', () => a.isLinked(b.id) && b.isLinked(a.id), budgetMs);
}

/** libp2p's address manager runs one last timer of a second after its listeners closed; jest waits for no timer. */
export async function timersEnded(): Promise<void> {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  await until('only the test runner’s own timers are left', () => timers() <= 2);
}
