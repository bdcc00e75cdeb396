/**
 * A lattice of one node in memory, for tests of the HTTP API: real conditions, versions and roots (of a kind), no
 * disk, no peers.
 */
import { createHash } from 'node:crypto';
import type { LatticeApi, NodeStatus, ProofDocument, ReadEntry, WriteAnswer } from '../ports.ts';
import type { AckDemand, Precondition, Standing, WriteEntry, WriteOutcome } from '../protocol/border.ts';
import type { DatedEvent, LatticeEvent } from '../protocol/events.ts';
import type { Digest, NodeId } from '../protocol/ids.ts';

const PEER_ID = '12D3KooWFakeNode' as NodeId;

export class FakeLattice implements LatticeApi {
  readonly values = new Map<string, ReadEntry>();
  readonly signedTexts: string[] = [];
  /** thrown by the next writes when set */
  failure: Error | null = null;
  /** thrown by everything but writes when set: a bug inside */
  broken: Error | null = null;
  /** what the next writes come to, when set: nothing is written */
  outcome: Extract<WriteOutcome, { ok: false }> | null = null;
  /** demands of the writes so far */
  readonly demands: (AckDemand | null)[] = [];
  reasons: string[] = [];
  told: string[] = [];
  waiting = 0;
  #forced: 'P2P' | 'HTTP' | null = null;
  #sequence = 0;
  #eventId = 0;
  readonly #deleted = new Map<string, Standing>();
  readonly #listeners = new Set<(event: DatedEvent) => void>();
  readonly #wakers = new Set<() => void>();

  clear(): void {
    this.values.clear();
    this.#deleted.clear();
    this.#sequence = 0;
    this.#forced = null;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  async write(
    entries: readonly WriteEntry[],
    precondition: Precondition | null,
    acks: AckDemand | null,
  ): Promise<WriteAnswer> {
    this.demands.push(acks);
    if (this.failure !== null) throw this.failure;
    if (this.outcome !== null) return { ...this.outcome, root: this.root() };
    for (const [index, { key, value }] of entries.entries()) {
      const version = this.#versionOf(key);
      const winner = this.#standings(key)[0] ?? null;
      if (value === null && version === null)
        return { ok: false, reason: 'not-found', key, index, winner, root: this.root() };
      if (!holds(precondition, version))
        return { ok: false, reason: 'precondition', version, winner, root: this.root() };
    }
    const written = entries.map(({ key, value }) => {
      this.#sequence += 1;
      const version = `v${this.#sequence}`;
      const created = this.#versionOf(key) === null;
      const standings = this.#standings(key);
      if (value === null) {
        this.values.delete(key);
        this.#deleted.set(key, { version, author: PEER_ID, timestamp: 1, value });
      } else this.values.set(key, { key, value, version, author: PEER_ID, timestamp: 1, siblings: [] });
      return { key, version, created, replaced: standings.length > 1 ? standings : [] };
    });
    for (const wake of this.#wakers) wake();
    return { ok: true, written, root: this.root(), acks: 1 };
  }

  async read(key: string): Promise<ReadEntry | null> {
    this.#assertWhole();
    return this.values.get(key) ?? null;
  }

  /** No proof of anything, but in its shape. */
  async proof(key: string): Promise<ProofDocument> {
    this.#assertWhole();
    const ids = this.#versionOf(key) === null ? [] : [this.root()];
    return {
      version: 1,
      key,
      root: this.root(),
      timestamp: 1,
      peer_id: PEER_ID,
      signature: '',
      records: [],
      path: { version: 1, siblings: [], entries: ids.map((id) => ({ path: id, ids: [id] })) },
    };
  }

  async state(): Promise<{ readonly root: Digest; readonly size: number }> {
    this.#assertWhole();
    return { root: this.root(), size: this.values.size };
  }

  async stateUnlike(root: string, waitMs: number, signal: AbortSignal): ReturnType<LatticeApi['state']> {
    if (this.root() !== root || signal.aborted) return this.state();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    signal.addEventListener('abort', () => resolve(), { once: true });
    this.#wakers.add(resolve);
    this.waiting += 1;
    await promise;
    this.waiting -= 1;
    clearTimeout(timer);
    this.#wakers.delete(resolve);
    return this.state();
  }

  async entries(
    after: string | null,
    limit: number,
    bytesMax: number,
  ): Promise<{ readonly entries: readonly ReadEntry[]; readonly next: string | null }> {
    const all = [...this.values.values()]
      .filter(({ value }) => value !== null)
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
      .filter(({ key }) => after === null || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0);
    let bytes = 0;
    const entries = all.slice(0, limit).filter(({ value }, i) => {
      bytes += value?.length ?? 0;
      return i === 0 || bytes <= bytesMax;
    });
    return { entries, next: all.length > entries.length ? (entries.at(-1)?.key ?? null) : null };
  }

  status(): NodeStatus {
    this.#assertWhole();
    return {
      name: 'fake',
      slot: null,
      peerId: PEER_ID,
      p2p: {
        enabled: true,
        started: true,
        error: null,
        topic: 'aethel/lattice/v1',
        listenMultiaddrs: ['/ip4/127.0.0.1/tcp/9000'],
        bootstrapPeers: [],
      },
      httpUrls: ['http://127.0.0.1:8001'],
      mode: this.#forced ?? 'P2P',
      forcedMode: this.#forced,
      modeSince: 1,
      lastSwitch: { from: 'NONE', to: 'P2P', reason: 'gossip heard', at: 1 },
      root: this.root(),
      size: this.values.size,
      room: { bytes: 0, bytesMax: Infinity },
      peers: [
        {
          peerId: '12D3KooWOther' as NodeId,
          url: 'http://127.0.0.1:8001',
          p2p: { state: 'alive', lastHeardMs: 12, rttMs: 1.5 },
          http: { state: 'unknown', lastHeardMs: null, rttMs: null },
          root: null,
        },
      ],
      members: {
        counted: 3,
        majority: 2,
        absent: [{ id: '12D3KooWAway' as NodeId, heardAtMs: 1, countsUntilMs: 2 }],
      },
      warnings: this.told,
    };
  }

  force(mode: 'P2P' | 'HTTP' | null): void {
    this.#assertWhole();
    this.#forced = mode;
  }

  warnings(): readonly string[] {
    return this.told;
  }

  notReady(): readonly string[] {
    this.#assertWhole();
    return this.reasons;
  }

  subscribe(listener: (event: DatedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: LatticeEvent): void {
    this.#eventId += 1;
    for (const listener of this.#listeners) listener({ id: this.#eventId, at: Date.now(), event });
  }

  sign(bytes: Uint8Array): Uint8Array {
    this.signedTexts.push(Buffer.from(bytes).toString('utf8'));
    return new Uint8Array(64).fill(7);
  }

  #assertWhole(): void {
    if (this.broken !== null) throw this.broken;
  }

  /** What lives of a key, the winner first. */
  #standings(key: string): readonly Standing[] {
    const entry = this.values.get(key);
    if (entry !== undefined) return [entry, ...entry.siblings];
    const deleted = this.#deleted.get(key);
    return deleted === undefined ? [] : [deleted];
  }

  #versionOf(key: string): string | null {
    const entry = this.values.get(key);
    return entry === undefined || entry.value === null ? null : entry.version;
  }

  root(): Digest {
    const digest = createHash('sha256');
    for (const key of [...this.values.keys()].sort()) digest.update(JSON.stringify(this.values.get(key)));
    return digest.digest('hex') as Digest;
  }
}

function holds(precondition: Precondition | null, version: string | null): boolean {
  const match = precondition?.ifMatch;
  const noneMatch = precondition?.ifNoneMatch;
  const isMatched = match === undefined || (version !== null && (match === '*' || match.includes(version)));
  const isBlocked =
    noneMatch !== undefined && version !== null && (noneMatch === '*' || noneMatch.includes(version));
  return isMatched && !isBlocked;
}
