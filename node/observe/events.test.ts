import type { LogFields, Logger } from '../ports.ts';
import type { DatedEvent, LatticeEvent } from '../protocol/events.ts';
import type { Digest, NodeId } from '../protocol/ids.ts';
import { EventLog } from './events.ts';

const peer = '12D3KooWPeer' as NodeId;
const local = 'a'.repeat(64) as Digest;
const remote = 'b'.repeat(64) as Digest;

it.each<[LatticeEvent, readonly string[]]>([
  [
    { type: 'mode', from: 'P2P', to: 'HTTP', reason: 'no gossip for 1000 ms' },
    ['warn [HTTP_SYNC] Failover: sync_mode P2P → HTTP (no gossip for 1000 ms)'],
  ],
  [
    { type: 'mode', from: 'HTTP', to: 'P2P', reason: 'gossip heard' },
    ['info [LATTICE_P2P] Failback: sync_mode HTTP → P2P (gossip heard)'],
  ],
  [
    { type: 'mode', from: 'NONE', to: 'P2P', reason: 'gossip heard' },
    ['info [LATTICE_P2P] sync_mode NONE → P2P (gossip heard)'],
  ],
  [
    { type: 'mode', from: 'HTTP', to: 'NONE', reason: 'nobody answers' },
    ['warn [HTTP_SYNC] Isolated: sync_mode HTTP → NONE (nobody answers)'],
  ],
  [
    { type: 'peer', peer, lung: 'p2p', from: 'alive', to: 'suspect', reason: 'silent for 1000 ms' },
    ['info [P2P_HEARTBEAT] peer 12D3KooWPeer suspect, was alive (silent for 1000 ms)'],
  ],
  [
    { type: 'peer', peer, lung: 'http', from: 'alive', to: 'suspect', reason: 'timeout' },
    ['debug [HTTP_SYNC] peer 12D3KooWPeer suspect, was alive (timeout)'],
  ],
  [
    { type: 'divergence', peer, lung: 'http', local, remote },
    [
      'info [HTTP_SYNC] State divergence detected from http://peer:8000',
      `info [HTTP_SYNC]   Local: ${local}`,
      `info [HTTP_SYNC]   Peer: ${remote}`,
    ],
  ],
  [
    {
      type: 'reconciliation',
      peer,
      lung: 'http',
      rung: 'descent',
      pulled: 3,
      pushed: 2,
      roundTrips: 2,
      tookMs: 14.2,
      outcome: 'equal',
      reason: '',
    },
    [
      'info [RECONCILIATION] descent with 12D3KooWPeer over http: pulled 3, pushed 2, 2 round trips, 14 ms, roots equal',
    ],
  ],
  [
    { type: 'lung', lung: 'p2p', state: 'down', reason: 'p2p_start_timeout' },
    ['warn [LATTICE_P2P] P2P lung down (p2p_start_timeout)'],
  ],
  [{ type: 'forced', mode: 'HTTP' }, ['warn [HTTP_SYNC] Operator forces HTTP']],
  [
    { type: 'conflict', key: 'a\nb', siblings: 1 },
    ['info [RECONCILIATION] conflict on "a\\nb": 1 sibling kept'],
  ],
  [
    { type: 'refused', peer: null, lung: 'p2p', what: 'peer', reason: 'wrong key' },
    ['warn [LATTICE_P2P] refused a peer from a stranger (wrong key)'],
  ],
])('tells %j in the words of an operator', (event, wanted) => {
  const { log, lines } = start();
  log.publish(event);
  expect(lines).toEqual(wanted);
});

it('numbers and dates events, and tells them to whoever listens, until they stop', () => {
  const { log } = start();
  const heard: DatedEvent[] = [];
  const stop = log.subscribe((event) => heard.push(event));
  log.publish({ type: 'forced', mode: null });
  log.publish({ type: 'forced', mode: 'P2P' });
  stop();
  log.publish({ type: 'forced', mode: null });
  expect(heard.map(({ id, at }) => [id, at])).toEqual([
    [1, 5],
    [2, 5],
  ]);
});

it('keeps the newest events only', () => {
  const { log } = start({ keptMax: 3 });
  for (let i = 0; i < 5; i += 1) log.publish({ type: 'forced', mode: null });
  expect(log.recent().map(({ id }) => id)).toEqual([3, 4, 5]);
});

it('goes on when a listener fails', () => {
  const { log, lines, counted } = start();
  const heard: number[] = [];
  log.subscribe(() => {
    throw new Error('listener');
  });
  log.subscribe((event) => heard.push(event.id));
  log.publish({ type: 'forced', mode: null });
  expect(heard).toEqual([1]);
  expect(counted).toEqual([1]);
  expect(lines.at(-1)).toMatch(/an event listener failed/);
});

it('does not let strangers fill the log, and counts them all the same', () => {
  const { log, lines, counted } = start();
  for (let i = 0; i < 1000; i += 1) {
    log.publish({ type: 'refused', peer: null, lung: 'http', what: 'message', reason: 'bad signature' });
  }
  expect(lines).toHaveLength(21);
  expect(counted).toHaveLength(1000);
});

function start(options: { keptMax?: number } = {}) {
  const lines: string[] = [];
  const counted: number[] = [];
  const write =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      lines.push(`${level} [${fields?.tag ?? ''}] ${message}`);
    };
  const logger: Logger = {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
  };
  const log = new EventLog(
    {
      logger,
      clock: { wallMs: () => 5 },
      metrics: { observe: (event) => void counted.push(event.id) },
      urlOf: () => 'http://peer:8000',
    },
    options,
  );
  return { log, lines, counted };
}
