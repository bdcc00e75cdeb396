/** A client of a simulated node: asks the protocol's core what the node's HTTP API would answer, and as late. */
import type {
  EntriesResponse,
  EntryResponse,
  LinkStatusResponse,
  StatusResponse,
} from '../../node/http/schemas.ts';
import type { WriteOutcome } from '../../node/protocol/border.ts';
import type { LinkHealth } from '../../node/protocol/monitor/detector.ts';
import type { SignedRecord } from '../../node/protocol/state/record.ts';
import type { KeyView } from '../../node/protocol/state/replica.ts';
import type { Host } from '../../sim/host.ts';
import { NodeUnreachableError } from './client.ts';
import type { BatchResult, NodeClient, WriteResult } from './client.ts';
import type { VirtualTime } from './simulated-time.ts';

/** There and back on a loopback, in ms. A guess; a constant keeps a run the same. */
const ROUND_TRIP_MS = 1;
/** As the lab's client of a real node waits. */
const TIMEOUT_MS = 5_000;
const PAGE = 500;

type Written = Extract<WriteOutcome, { readonly ok: true }>;

export class SimulatedClient implements NodeClient {
  readonly #name: string;
  readonly #host: Host;
  readonly #time: VirtualTime;

  constructor(name: string, host: Host, time: VirtualTime) {
    this.#name = name;
    this.#host = host;
    this.#time = time;
  }

  async status(): Promise<StatusResponse> {
    const core = await this.#core();
    const { mode, forced, since, lastSwitch } = core.mode();
    const now = this.#time.now();
    const peers = core.peers();
    const reached = peers.filter(({ p2p }) => p2p.state === 'alive').length;
    return {
      success: true,
      name: this.#name,
      slot: null,
      enabled: true,
      started: true,
      libp2p_available: true,
      error: null,
      http_sync_enabled: true,
      sync_mode: mode,
      forced_mode: forced,
      mode_since: since,
      last_switch: lastSwitch,
      heartbeat_active: true,
      peer_id: this.#host.id,
      topic: 'simulated',
      listen_multiaddrs: [],
      bootstrap_peers: [],
      peer_count: reached,
      has_peers: reached > 0,
      merkle_root: core.replica.root(),
      state_size: core.replica.size(),
      peers: peers.map(({ id, root, p2p, http }) => ({
        peer_id: id,
        url: null,
        p2p: linkOf(p2p, now),
        http: linkOf(http, now),
        merkle_root: root,
      })),
    };
  }

  async put(key: string, value: unknown, ifMatch?: string): Promise<WriteResult> {
    const written = await this.#write([[key, value]], ifMatch ?? null);
    if (typeof written === 'string') return { outcome: outcomeOf(written), reason: written };
    const [one] = written.written;
    return { outcome: 'ok', root: this.#host.core.replica.root(), version: one?.version ?? '' };
  }

  async batch(entries: readonly (readonly [key: string, value: unknown])[]): Promise<BatchResult> {
    const written = await this.#write(entries, null);
    if (typeof written === 'string') return { outcome: outcomeOf(written), reason: written };
    const versions = written.written.map(({ version }) => version);
    return { outcome: 'ok', root: this.#host.core.replica.root(), versions };
  }

  async get(key: string): Promise<EntryResponse | null> {
    const { replica } = await this.#core();
    const view = replica.get(key);
    if (view === null || view.winner.value === null) return null;
    return { success: true, ...entryOf(view, replica.versionOf(key)) };
  }

  async winnerOf(key: string): Promise<string> {
    const view = (await this.#core()).replica.get(key);
    if (view === null) throw new NodeUnreachableError(`${this.#name} does not have ${key}`);
    return view.winner.id;
  }

  async *pages(after: string | null): AsyncGenerator<EntriesResponse, void, undefined> {
    let cursor = after;
    do {
      const { replica } = await this.#core();
      const views = replica.entriesAfter(cursor, PAGE);
      cursor = views.length < PAGE ? null : (views.at(-1)?.winner.key ?? null);
      yield {
        success: true,
        merkle_root: replica.root(),
        state_size: replica.size(),
        entries: views.map((view) => entryOf(view, replica.versionOf(view.winner.key))),
        count: views.length,
        next_cursor: cursor,
      };
    } while (cursor !== null);
  }

  async force(mode: 'P2P' | 'HTTP' | null): Promise<void> {
    await this.#core();
    this.#host.force(mode);
  }

  close(): void {}

  /** Of a node that is down nobody hears, of one that stands still nobody for as long as a client waits. */
  async #core(): Promise<Host['core']> {
    await this.#time.wait(ROUND_TRIP_MS);
    if (this.#host.isStalled) await this.#time.wait(TIMEOUT_MS);
    if (!this.#host.isUp || this.#host.isStalled)
      throw new NodeUnreachableError(`${this.#name} does not answer`);
    return this.#host.core;
  }

  /** @returns what was written, or why it was not, or not for certain */
  async #write(
    entries: readonly (readonly [key: string, value: unknown])[],
    ifMatch: string | null,
  ): Promise<Written | string> {
    await this.#time.wait(ROUND_TRIP_MS);
    if (!this.#host.isUp) return REFUSED;
    const { replica } = this.#host.core;
    const [first] = entries;
    if (ifMatch !== null && first !== undefined && replica.versionOf(first[0]) !== ifMatch)
      return `${REFUSED}: another version is here`;
    // A host that is killed meanwhile says nothing any more.
    const outcome = await this.#time.within<WriteOutcome>(TIMEOUT_MS, (done) => {
      this.#host.write(
        entries.map(([key, value]) => ({ key, value: JSON.stringify(value) })),
        done,
      );
    });
    if (outcome === null) return 'no answer in time';
    return outcome.ok ? outcome : `${REFUSED}: ${outcome.reason}`;
  }
}

/** What begins so is certainly not done. */
const REFUSED = 'refused';

function outcomeOf(reason: string): 'fail' | 'info' {
  return reason.startsWith(REFUSED) ? 'fail' : 'info';
}

function linkOf({ state, heardAt, rttMs }: LinkHealth, now: number): LinkStatusResponse {
  return { state, last_heard_ms: heardAt === null ? null : Math.max(0, now - heardAt), rtt_ms: rttMs };
}

function entryOf({ winner, siblings }: KeyView, version: string | null): EntriesResponse['entries'][number] {
  return {
    key: winner.key,
    ...shownOf(winner),
    version: version ?? winner.id,
    conflict: siblings.length > 0,
    siblings: siblings.map((record) => ({ ...shownOf(record), deleted: record.value === null })),
  };
}

function shownOf({ value, id, dot, stamp }: SignedRecord) {
  return {
    value: value === null ? null : (JSON.parse(value) as unknown),
    version: id,
    author: dot.author,
    timestamp: stamp.wallMs,
  };
}
