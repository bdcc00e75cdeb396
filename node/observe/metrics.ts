/**
 * The node's numbers for Prometheus, in an own registry. Counters come from events, gauges are read from the node's
 * status when somebody scrapes, durations are handed in. Label values are all from small fixed sets: no peer, no key
 * and no reason becomes a label.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { CountBytes, LatticeApi, NodeStatus, TrafficKind } from '../ports.ts';
import type { DroppedLines } from './logger.ts';
import { Durations } from './durations.ts';
import type { WriteOutcome } from '../protocol/border.ts';
import type { DatedEvent, LinkState, LungName, SyncMode } from '../protocol/events.ts';

export interface MetricsModules {
  /** null while the node is not composed yet */
  readonly status: () => NodeStatus | null;
  /** log lines that no reader will see, since the start */
  readonly dropped?: () => readonly DroppedLines[];
}

export interface MetricsOptions {
  /** CPU, memory, event loop and garbage collection of the process; default true */
  readonly withProcess?: boolean;
}

/** How a write ended; `failed`: nothing was acknowledged. */
type WriteResult = 'ok' | Extract<WriteOutcome, { ok: false }>['reason'] | 'failed';

const MODES: readonly SyncMode[] = ['P2P', 'HTTP', 'NONE'];
/** Why the mode changes, as the core says it; another word would be counted as `other`. */
const SWITCH_REASONS = [
  'p2p_reaches_members',
  'p2p_silent_http_answers',
  'both_lungs_silent',
  'forced_p2p',
  'forced_http',
  'forced_p2p_reaches_nobody',
  'forced_http_reaches_nobody',
];
const LUNGS: readonly LungName[] = ['p2p', 'http'];
const LINK_STATES: readonly LinkState[] = ['unknown', 'alive', 'suspect', 'dead'];
/** Steps take microseconds; one above 10 ms delays heartbeats. */
const STEP_BUCKETS = [0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5];
/** A flush costs 0.2–0.3 ms on the reference machine. */
const COMMIT_BUCKETS = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2];
const EXCHANGE_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

interface Carried {
  readonly labels: { readonly lung: LungName; readonly direction: 'in' | 'out'; readonly kind: TrafficKind };
  bytes: number;
}

export class NodeMetrics {
  readonly #registry = new Registry();
  readonly #status: () => NodeStatus | null;
  readonly #dropped: () => readonly DroppedLines[];

  readonly #switches = this.#counter('aethel_mode_switches_total', 'Changes of sync_mode', [
    'from',
    'to',
    'reason',
  ]);
  readonly #rootChanges = this.#counter(
    'aethel_root_changes_total',
    'Changes of the Merkle root, by how the records came',
    ['cause'],
  );
  readonly #linkChanges = this.#counter(
    'aethel_peer_changes_total',
    'Changes of the health of a peer over a lung',
    ['lung', 'to'],
  );
  readonly #lungChanges = this.#counter('aethel_lung_changes_total', 'Lungs that came up or went down', [
    'lung',
    'state',
  ]);
  readonly #divergences = this.#counter('aethel_divergences_total', 'Peers found with another root', [
    'lung',
  ]);
  readonly #reconciliations = this.#counter('aethel_reconciliations_total', 'Reconciliations ended', [
    'lung',
    'rung',
    'outcome',
  ]);
  readonly #rungs = this.#counter(
    'aethel_reconciliation_rungs_total',
    'Rungs of the ladder of anti-entropy that sessions took',
    ['lung', 'rung', 'reason'],
  );
  readonly #hedged = this.#counter(
    'aethel_hedged_records_total',
    'Fresh records sent over HTTP, while gossip carries, to members that it does not reach',
    [],
  );
  readonly #reconciled = this.#counter('aethel_reconciled_records_total', 'Records moved by reconciliation', [
    'lung',
    'direction',
  ]);
  readonly #conflicts = this.#counter('aethel_conflicts_total', 'Keys found with concurrent writes', []);
  readonly #refused = this.#counter('aethel_refused_total', 'What was turned away', ['lung', 'what']);
  readonly #bytes = this.#counter(
    'aethel_lung_bytes_total',
    'Bytes between members: over HTTP all of a socket inside TLS, over P2P payloads without relayed gossip',
    ['lung', 'direction', 'kind'],
  );
  readonly #logLines = this.#counter('aethel_log_lines_dropped_total', 'Log lines that were not written', [
    'sink',
    'reason',
  ]);
  readonly #writes = this.#counter('aethel_writes_total', 'Entries asked to be written here', ['outcome']);

  /** entries written, of which the counter was not told yet: it takes its time */
  #written = 0;
  /** since they were last read: a counter with labels costs as much as the rest of a heartbeat */
  readonly #carried: Carried[] = [];

  readonly #step = new Durations('aethel_step_duration_seconds', 'One step of the core', STEP_BUCKETS);
  readonly #commit = new Durations(
    'aethel_commit_duration_seconds',
    'From a commit asked to durable',
    COMMIT_BUCKETS,
  );
  readonly #write = new Durations(
    'aethel_write_duration_seconds',
    'From a write asked to acknowledged',
    COMMIT_BUCKETS,
  );
  readonly #reconciliation = this.#histogram(
    'aethel_reconciliation_duration_seconds',
    'One reconciliation',
    EXCHANGE_BUCKETS,
  );

  readonly #mode = this.#gauge('aethel_sync_mode', '1 for the mode the node is in', ['mode']);
  readonly #keys = this.#gauge('aethel_state_keys', 'Keys that have a value', []);
  readonly #peers = this.#gauge('aethel_peers', 'Peers by their health over a lung', ['lung', 'state']);
  readonly #evidence = this.#gauge(
    'aethel_evidence_age_seconds',
    'Since a member was last heard over a lung, by the one heard last; absent while there is none',
    ['lung'],
  );

  constructor(modules: MetricsModules, options: MetricsOptions = {}) {
    this.#status = modules.status;
    this.#dropped = modules.dropped ?? (() => []);
    // At the usual 10 ms the event loop's delay would wake an idle node a hundred times a second, to tell that it sleeps.
    const eventLoopMonitoringPrecision = 1_000;
    if (options.withProcess ?? true)
      collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision });
  }

  observe(dated: DatedEvent): void {
    const { event } = dated;
    switch (event.type) {
      case 'mode':
        this.#switches.inc({
          from: event.from,
          to: event.to,
          reason: SWITCH_REASONS.includes(event.reason) ? event.reason : 'other',
        });
        return;
      case 'lung':
        this.#lungChanges.inc({ lung: event.lung, state: event.state });
        return;
      case 'peer':
        this.#linkChanges.inc({ lung: event.lung, to: event.to });
        return;
      case 'root':
        this.#rootChanges.inc({ cause: event.cause });
        return;
      case 'divergence':
        this.#divergences.inc({ lung: event.lung });
        return;
      case 'reconciliation':
        this.#reconciliations.inc({ lung: event.lung, rung: event.rung, outcome: event.outcome });
        this.#reconciled.inc({ lung: event.lung, direction: 'pulled' }, event.pulled);
        this.#reconciled.inc({ lung: event.lung, direction: 'pushed' }, event.pushed);
        this.#reconciliation.observe(event.tookMs / 1000);
        return;
      case 'hedged':
        this.#hedged.inc(event.records);
        return;
      case 'rung':
        this.#rungs.inc({ lung: event.lung, rung: event.rung, reason: event.reason });
        return;
      case 'conflict':
        this.#conflicts.inc();
        return;
      case 'refused':
        this.#refused.inc({ lung: event.lung, what: event.what });
        return;
      case 'forced':
      case 'limited':
      case 'equivocation':
      case 'restored':
      case 'member':
      case 'collected':
      case 'clock':
      case 'stamps':
      case 'twin':
        return;
    }
  }

  observeStep(seconds: number): void {
    this.#step.observe(seconds);
  }

  observeCommit(seconds: number): void {
    this.#commit.observe(seconds);
  }

  observeWrite(outcome: WriteResult, entries: number, seconds: number): void {
    if (outcome === 'ok') this.#written += entries;
    else this.#writes.inc({ outcome }, entries);
    if (outcome === 'ok') this.#write.observe(seconds);
  }

  /** For a lung to call with what it sends and takes. */
  bytesOf(lung: LungName): CountBytes {
    const sums = new Map<string, Carried>();
    return (direction, kind, bytes) => {
      const name = direction + kind;
      let sum = sums.get(name);
      if (sum === undefined) {
        sums.set(name, (sum = { labels: { lung, direction, kind }, bytes: 0 }));
        this.#carried.push(sum);
      }
      sum.bytes += bytes;
    };
  }

  /** Prometheus text format 0.0.4. */
  async text(): Promise<string> {
    this.#readStatus();
    for (const sum of this.#carried) {
      if (sum.bytes > 0) this.#bytes.inc(sum.labels, sum.bytes);
      sum.bytes = 0;
    }
    this.#logLines.reset();
    for (const { sink, reason, lines } of this.#dropped()) this.#logLines.inc({ sink, reason }, lines);
    if (this.#written > 0) this.#writes.inc({ outcome: 'ok' }, this.#written);
    this.#written = 0;
    const durations = [this.#step, this.#commit, this.#write].map((one) => one.text());
    return [await this.#registry.metrics(), ...durations].join('\n');
  }

  #readStatus(): void {
    const status = this.#status();
    if (status === null) return;
    this.#keys.set(status.size);
    for (const mode of MODES) this.#mode.set({ mode }, status.mode === mode ? 1 : 0);
    for (const lung of LUNGS) {
      const ages = status.peers.map((peer) => peer[lung].lastHeardMs).filter((age) => age !== null);
      if (ages.length === 0) this.#evidence.remove({ lung });
      else this.#evidence.set({ lung }, Math.min(...ages) / 1000);
      for (const state of LINK_STATES) {
        this.#peers.set({ lung, state }, status.peers.filter((peer) => peer[lung].state === state).length);
      }
    }
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    return new Histogram({ name, help, buckets: [...buckets], registers: [this.#registry] });
  }
}

/** The same API, with every write counted and timed. */
export function meteredApi(api: LatticeApi, metrics: NodeMetrics): LatticeApi {
  return {
    write: (entries, precondition, acks) => {
      const start = performance.now();
      const observe = (outcome: WriteResult): void =>
        metrics.observeWrite(outcome, entries.length, (performance.now() - start) / 1000);
      return api.write(entries, precondition, acks).then(
        (result) => {
          observe(result.ok ? 'ok' : result.reason);
          return result;
        },
        (error: unknown) => {
          observe('failed');
          throw error;
        },
      );
    },
    read: (key) => api.read(key),
    proof: (key) => api.proof(key),
    state: () => api.state(),
    stateUnlike: (root, waitMs, signal) => api.stateUnlike(root, waitMs, signal),
    entries: (after, limit, bytesMax) => api.entries(after, limit, bytesMax),
    status: () => api.status(),
    force: (mode) => api.force(mode),
    notReady: () => api.notReady(),
    warnings: () => api.warnings(),
    subscribe: (listener) => api.subscribe(listener),
    sign: (bytes) => api.sign(bytes),
  };
}
