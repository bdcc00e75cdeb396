import type { LatticeApi, NodeStatus, WriteAnswer } from '../ports.ts';
import type { LatticeEvent } from '../protocol/events.ts';
import type { Digest, NodeId } from '../protocol/ids.ts';
import { NodeMetrics, meteredApi } from './metrics.ts';

const peer = '12D3KooWPeer' as NodeId;
const root = 'a'.repeat(64) as Digest;
const lung = 'http' as const;
const reason = 'any text at all';

const EVENTS: readonly LatticeEvent[] = [
  { type: 'lung', lung, state: 'up', reason },
  { type: 'mode', from: 'P2P', to: 'HTTP', reason: 'p2p_silent_http_answers' },
  { type: 'mode', from: 'HTTP', to: 'P2P', reason },
  { type: 'forced', mode: null },
  { type: 'peer', peer, lung, from: 'alive', to: 'dead', reason },
  { type: 'root', root, size: 1, cause: 'gossip' },
  { type: 'divergence', peer, lung, local: root, remote: root },
  {
    type: 'reconciliation',
    peer,
    lung,
    rung: 'descent',
    pulled: 3,
    pushed: 2,
    roundTrips: 2,
    tookMs: 14,
    outcome: 'equal',
    reason,
  },
  { type: 'conflict', key: 'secret-ish key', siblings: 1 },
  { type: 'refused', peer, lung, what: 'message', reason },
];

it('counts every event, and lets no peer, key or reason become a label', async () => {
  const metrics = new NodeMetrics({ status: () => null }, { withProcess: false });
  EVENTS.forEach((event, i) => metrics.observe({ id: i + 1, at: 0, event }));
  const text = await metrics.text();
  expect(text).toContain(
    'aethel_mode_switches_total{from="P2P",to="HTTP",reason="p2p_silent_http_answers"} 1',
  );
  expect(text).toContain('aethel_mode_switches_total{from="HTTP",to="P2P",reason="other"} 1');
  expect(text).toContain('aethel_reconciliations_total{lung="http",rung="descent",outcome="equal"} 1');
  expect(text).toContain('aethel_reconciled_records_total{lung="http",direction="pulled"} 3');
  expect(text).toContain('aethel_root_changes_total{cause="gossip"} 1');
  expect(text).toContain('aethel_refused_total{lung="http",what="message"} 1');
  expect(text).toContain('aethel_conflicts_total 1');
  for (const unbounded of [peer, root, reason, 'secret-ish']) expect(text).not.toContain(unbounded);
});

it('reads the gauges when somebody asks', async () => {
  let mode: NodeStatus['mode'] = 'P2P';
  const metrics = new NodeMetrics({ status: () => statusIn(mode) }, { withProcess: false });
  expect(await metrics.text()).toContain('aethel_sync_mode{mode="P2P"} 1');
  mode = 'HTTP';
  const text = await metrics.text();
  expect(text).toContain('aethel_sync_mode{mode="P2P"} 0');
  expect(text).toContain('aethel_sync_mode{mode="HTTP"} 1');
  expect(text).toContain('aethel_peers{lung="p2p",state="dead"} 1');
  expect(text).toContain('aethel_peers{lung="http",state="alive"} 1');
  expect(text).toContain('aethel_state_keys 7');
});

it('tells how old the evidence of each lung is, by the member heard last', async () => {
  let http: readonly (number | null)[] = [5_000, null, 1_250];
  const metrics = new NodeMetrics({ status: () => statusIn('P2P', http) }, { withProcess: false });
  const text = await metrics.text();
  expect(text).toContain('aethel_evidence_age_seconds{lung="http"} 1.25');
  expect(text).not.toContain('aethel_evidence_age_seconds{lung="p2p"}');
  http = [null];
  expect(await metrics.text()).not.toContain('aethel_evidence_age_seconds{');
});

it('counts the bytes of each lung by direction and kind', async () => {
  const metrics = new NodeMetrics({ status: () => null }, { withProcess: false });
  const [p2p, overHttp] = [metrics.bytesOf('p2p'), metrics.bytesOf('http')];
  p2p('out', 'beat', 72);
  p2p('out', 'beat', 72);
  overHttp('in', 'poll', 400);
  const text = await metrics.text();
  expect(text).toContain('aethel_lung_bytes_total{lung="p2p",direction="out",kind="beat"} 144');
  expect(text).toContain('aethel_lung_bytes_total{lung="http",direction="in",kind="poll"} 400');
});

it('measures durations in seconds, and names every metric with its unit', async () => {
  const metrics = new NodeMetrics({ status: () => null }, { withProcess: false });
  metrics.observeStep(0.000_04);
  metrics.observeCommit(0.000_3);
  const text = await metrics.text();
  expect(text).toContain('aethel_step_duration_seconds_bucket{le="0.00005"} 1');
  expect(text).toContain('aethel_commit_duration_seconds_sum 0.0003');
  const counters = [...text.matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name]) => name);
  expect(counters.length).toBeGreaterThan(5);
  for (const name of counters) expect(name).toMatch(/^aethel_\w+_total$/);
});

it('tells of the process as well', async () => {
  const text = await new NodeMetrics({ status: () => null }).text();
  expect(text).toContain('process_resident_memory_bytes');
  expect(text).toContain('nodejs_eventloop_lag_seconds');
});

it('counts writes by how they end, and passes them on untouched', async () => {
  const metrics = new NodeMetrics({ status: () => null }, { withProcess: false });
  const outcomes: (WriteAnswer | Error)[] = [
    { ok: true, written: [], root, acks: 1 },
    { ok: false, reason: 'not-found', key: 'a', index: 0, winner: null, root },
    new Error('disk'),
  ];
  const api = meteredApi(
    {
      write: async () => {
        const next = outcomes.shift();
        if (next === undefined || next instanceof Error) throw next ?? new Error('no more');
        return next;
      },
      status: () => statusIn('NONE'),
    } as unknown as LatticeApi,
    metrics,
  );
  const entries = [
    { key: 'a', value: '1' },
    { key: 'b', value: '2' },
  ];
  expect(await api.write(entries, null, null)).toEqual({ ok: true, written: [], root, acks: 1 });
  expect(await api.write(entries, null, null)).toEqual({
    ok: false,
    reason: 'not-found',
    key: 'a',
    index: 0,
    winner: null,
    root,
  });
  await expect(api.write(entries, null, null)).rejects.toThrow('disk');
  expect(api.status().mode).toBe('NONE');
  const text = await metrics.text();
  for (const outcome of ['ok', 'not-found', 'failed']) {
    expect(text).toContain(`aethel_writes_total{outcome="${outcome}"} 2`);
  }
  expect(text).toContain('aethel_write_duration_seconds_count 1');
});

function statusIn(mode: NodeStatus['mode'], heardMs: readonly (number | null)[] = [1]): NodeStatus {
  return {
    name: 'n',
    slot: null,
    peerId: peer,
    p2p: { enabled: true, started: true, error: null, topic: 't', listenMultiaddrs: [], bootstrapPeers: [] },
    httpUrls: [],
    mode,
    forcedMode: null,
    modeSince: 0,
    lastSwitch: null,
    root,
    room: { bytes: 0, bytesMax: Infinity },
    size: 7,
    peers: heardMs.map((lastHeardMs) => ({
      peerId: peer,
      url: null,
      p2p: { state: 'dead', lastHeardMs: null, rttMs: null },
      http: { state: 'alive', lastHeardMs, rttMs: 1 },
      root: null,
    })),
    members: { counted: 2, majority: 2, absent: [] },
    warnings: [],
  };
}
