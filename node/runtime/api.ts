/**
 * What the HTTP API asks of the node, answered by the driver and the core. A read is taken at once and shown only after
 * what was stepped before it is durable, so that no reader sees what a crash could take back; while the store refuses
 * commits it shows what the disk has. A node that is healing neither reads nor writes.
 */
import type { Driver } from './driver.ts';
import { seenOf, type Seen } from './durable-view.ts';
import type { Healing } from './healing.ts';
import { compareBytes, mergedKeys, pageOf } from './page.ts';
import type {
  Identity,
  LatticeApi,
  LinkStatus,
  NodeStatus,
  PeerStatus,
  ReadEntry,
  WriteAnswer,
} from '../ports.ts';
import type { AckDemand, Precondition, WriteEntry } from '../protocol/border.ts';
import { describeClock, type Core, type PeerReport } from '../protocol/core.ts';
import type { DatedEvent } from '../protocol/events.ts';
import type { Digest, NodeId } from '../protocol/ids.ts';
import type { LinkHealth } from '../protocol/monitor/detector.ts';
import { proofDocument, signRoot, type ProofDocument } from '../protocol/state/proof-document.ts';
import type { SignedRecord } from '../protocol/state/record.ts';

/** What the runtime does not know itself: asked for each status. */
interface Surroundings {
  readonly name: string;
  readonly slot: number | null;
  readonly p2p: () => NodeStatus['p2p'];
  readonly httpUrls: () => readonly string[];
  readonly urlOf: (peer: NodeId) => string | null;
  /** of the lungs */
  readonly warnings: () => readonly string[];
  readonly subscribe: (listener: (event: DatedEvent) => void) => () => void;
  /** a node without any configured way to others is ready alone */
  readonly isAlone: boolean;
  /** why nothing that is written can be kept, though the store takes it; null where it can */
  readonly storeFailure: () => Error | null;
}

export interface ApiModules {
  readonly driver: Driver;
  readonly core: Core;
  readonly identity: Identity;
  readonly surroundings: Surroundings;
  readonly healing: Healing;
}

export class Api implements LatticeApi {
  readonly #modules: ApiModules;

  constructor(modules: ApiModules) {
    this.#modules = modules;
  }

  write(
    entries: readonly WriteEntry[],
    precondition: Precondition | null,
    acks: AckDemand | null,
  ): Promise<WriteAnswer> {
    const { healing, driver, surroundings } = this.#modules;
    const refusal = healing.refusal() ?? surroundings.storeFailure();
    return refusal === null ? driver.write(entries, precondition, acks) : Promise.reject(refusal);
  }

  read(key: string): ReadEntry | null | Promise<ReadEntry | null> {
    const { healing, driver, core } = this.#modules;
    healing.assertOver();
    const entry = entryIn(key, core.replica.live(key));
    const settled = driver.settled();
    if (settled === true) return entry;
    const durable = (): ReadEntry | null => entryOf(driver.durable(key));
    return settled === false ? durable() : settled.then((isSettled) => (isSettled ? entry : durable()));
  }

  async proof(key: string): Promise<ProofDocument> {
    const { driver, core, identity, healing } = this.#modules;
    healing.assertOver();
    core.signNow();
    const document = proofDocument(
      core.replica,
      key,
      signRoot(core.replica.root(), driver.now().wallMs, identity),
    );
    if (!(await driver.settled()) && driver.failure !== null) throw driver.failure;
    return document;
  }

  async state(): Promise<{ readonly root: Digest; readonly size: number }> {
    const seen = this.#seen();
    return (await this.#modules.driver.settled()) ? seen : this.#modules.driver.durableState;
  }

  async stateUnlike(
    root: string,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly root: Digest; readonly size: number }> {
    if (waitMs > 0 && this.#modules.core.replica.root() === root) await this.#changeOf(root, waitMs, signal);
    return this.state();
  }

  async entries(
    after: string | null,
    limit: number,
    bytesMax: number,
  ): Promise<{ readonly entries: readonly ReadEntry[]; readonly next: string | null }> {
    const { healing, driver, core } = this.#modules;
    healing.assertOver();
    const { replica } = core;
    const limits = { limit, bytesMax };
    const page = pageOf(replica.keysAfter(after), limits, (key) => entryOf(seenOf(key, replica.live(key))));
    if (await driver.settled()) return page;
    // Of the keys that come next, some are not there yet on disk, and some only there.
    const unsettled = driver.unsettledKeys().filter((key) => after === null || compareBytes(key, after) > 0);
    const keys = mergedKeys(replica.keysAfter(after), unsettled.toSorted(compareBytes));
    return pageOf(keys, limits, (key) => entryOf(driver.durable(key)));
  }

  status(): NodeStatus {
    const { core, identity, surroundings, driver } = this.#modules;
    const mode = core.mode();
    const now = driver.now().monotonicMs;
    return {
      name: surroundings.name,
      slot: surroundings.slot,
      peerId: identity.id,
      p2p: surroundings.p2p(),
      httpUrls: surroundings.httpUrls(),
      mode: mode.mode,
      forcedMode: mode.forced,
      modeSince: mode.since,
      lastSwitch: mode.lastSwitch,
      root: core.replica.root(),
      size: core.replica.size(),
      room: core.replica.room(),
      peers: core.peers().map((peer) => peerStatus(peer, surroundings.urlOf(peer.id), now)),
      members: core.members(),
      warnings: this.warnings(),
    };
  }

  force(mode: 'P2P' | 'HTTP' | null): void {
    this.#modules.driver.dispatch({ type: 'force', mode });
  }

  warnings(): readonly string[] {
    return this.#modules.surroundings.warnings();
  }

  notReady(): readonly string[] {
    const { driver, core, surroundings, healing } = this.#modules;
    const reasons: string[] = [];
    if (healing.reason !== null) reasons.push(`healing: ${healing.reason}`);
    const failure = surroundings.storeFailure() ?? driver.failure;
    if (failure !== null) reasons.push(`store: ${failure.message}`);
    if (core.retirement !== null) reasons.push(`identity: ${core.retirement}`);
    const room = core.room();
    if (room.isShort)
      reasons.push(
        `state: full at ${room.bytes} of ${room.bytesMax} bytes, members have records that it lacks`,
      );
    const clock = core.clock();
    if (!clock.isSane) reasons.push(`clock: ${describeClock(clock)}`);
    if (!surroundings.isAlone && core.mode().mode === 'NONE') reasons.push('no lung reaches a member');
    return reasons;
  }

  subscribe(listener: (event: DatedEvent) => void): () => void {
    return this.#modules.surroundings.subscribe(listener);
  }

  sign(bytes: Uint8Array): Uint8Array {
    return this.#modules.identity.sign(bytes);
  }

  #seen(): { readonly root: Digest; readonly size: number } {
    const { replica } = this.#modules.core;
    return { root: replica.root(), size: replica.size() };
  }

  /** Resolves when the root is another one than `root`, the time is over, or nobody waits any more. */
  async #changeOf(root: string, waitMs: number, signal: AbortSignal): Promise<void> {
    const { driver, core } = this.#modules;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        unsubscribe();
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const unsubscribe = driver.onChange(() => {
        if (core.replica.root() !== root) end();
      });
      const timer = setTimeout(end, waitMs);
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
    });
  }
}

/** Of records that stand alone: the same record is the same entry, which is made once for all who read it. */
const entries = new WeakMap<SignedRecord, ReadEntry>();

/** As `entryOf`, quicker where one record was read before and nothing is beside it. */
function entryIn(key: string, live: readonly SignedRecord[]): ReadEntry | null {
  const known = live.length === 1 && live[0] !== undefined ? entries.get(live[0]) : undefined;
  return known ?? entryOf(seenOf(key, live));
}

function entryOf({ view, version }: Seen): ReadEntry | null {
  if (view === null) return null;
  const { winner, siblings } = view;
  if (siblings.length === 0) {
    // A delete that no write is beside leaves nothing to show.
    if (winner.value === null) return null;
    const known = entries.get(winner);
    if (known !== undefined) return known;
  }
  const { key, value, id, dot, stamp } = winner;
  const entry: ReadEntry = {
    key,
    value,
    version: version ?? id,
    author: dot.author,
    timestamp: stamp.wallMs,
    siblings: siblings.map(sibling),
  };
  if (siblings.length === 0) entries.set(winner, entry);
  return entry;
}

function sibling({ value, id, dot, stamp }: SignedRecord): ReadEntry['siblings'][number] {
  return { value, version: id, author: dot.author, timestamp: stamp.wallMs };
}

function peerStatus(peer: PeerReport, url: string | null, now: number): PeerStatus {
  return {
    peerId: peer.id,
    url,
    p2p: linkStatus(peer.p2p, now),
    http: linkStatus(peer.http, now),
    root: peer.root,
  };
}

function linkStatus({ state, heardAt, rttMs }: LinkHealth, now: number): LinkStatus {
  return { state, lastHeardMs: heardAt === null ? null : Math.max(0, Math.round(now - heardAt)), rttMs };
}
