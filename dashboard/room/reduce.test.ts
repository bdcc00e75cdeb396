import type { Digest } from '../../node/protocol/ids.ts';
import type { LatticeEvent } from '../../node/protocol/events.ts';
import type { StatusSnapshot } from '../view.ts';
import { groupsOf } from './groups.ts';
import { linksOf } from './links.ts';
import type { FaultView, RoomEvent, RoomView } from './model.ts';
import { emptyRoom, faultsInForce, LOG_LINES_MAX, reduceRoom, TRAFFIC_SECONDS } from './reduce.ts';

const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [Digest, Digest, Digest];

describe('the control room', () => {
  it('puts nodes together that had one root lately, though they are never caught with the same one', () => {
    const room = after(0, [
      ...upWith({ n1: A, n2: B }),
      root('n1', 1000, B),
      root('n2', 1100, C),
      { type: 'clock', at: 2000 },
    ]);
    expect(groupsOf(room.cluster)).toEqual([{ nodes: ['n1', 'n2'] }]);
  });

  it('parts nodes that had no root in common for three seconds, the larger group first', () => {
    const room = after(0, [
      ...upWith({ n1: A, n2: A, n3: A }),
      root('n1', 1000, B),
      root('n2', 1000, C),
      root('n3', 1000, C),
      { type: 'clock', at: 4500 },
    ]);
    expect(groupsOf(room.cluster)).toEqual([{ nodes: ['n2', 'n3'] }, { nodes: ['n1'] }]);
  });

  it('tells of divergence and of convergence once each', () => {
    const room = after(0, [
      ...upWith({ n1: A, n2: A }),
      root('n1', 1000, B),
      { type: 'clock', at: 4200 },
      { type: 'clock', at: 4300 },
      root('n2', 4500, B),
      { type: 'clock', at: 5000 },
      { type: 'clock', at: 5500 },
    ]);
    expect(room.log.map(({ fact }) => fact)).toEqual([
      { type: 'states', count: 2 },
      { type: 'states', count: 1 },
    ]);
  });

  it('says that HTTP carries between two nodes when either of them does not hear the other by P2P', () => {
    const deaf = { peers: [{ peer_id: 'n1', p2p: { state: 'dead' }, http: { state: 'alive' } }] } as const;
    const room = after(0, [...upWith({ n1: A, n2: A, n3: A }), status('n2', A, deaf)]);
    expect(linksOf(room.cluster)).toEqual([
      { a: 'n1', b: 'n2', p2p: false, http: true, carrier: 'http' },
      { a: 'n1', b: 'n3', p2p: true, http: true, carrier: 'p2p' },
      { a: 'n2', b: 'n3', p2p: false, http: false, carrier: null },
    ]);
  });

  it('shows seconds without an answer as zeros, not as gaps', () => {
    const room = after(0, [
      ...upWith({ n1: A }),
      write(1200),
      write(1900),
      write(4100),
      { type: 'clock', at: 5000 },
    ]);
    expect(room.traffic.filter(({ second }) => second >= 1)).toEqual([
      { second: 1, acknowledged: 2, failed: 0 },
      { second: 2, acknowledged: 0, failed: 0 },
      { second: 3, acknowledged: 0, failed: 0 },
      { second: 4, acknowledged: 1, failed: 0 },
      { second: 5, acknowledged: 0, failed: 0 },
    ]);
  });

  it('keeps traffic and log bounded, the newest last', () => {
    const events = Array.from({ length: TRAFFIC_SECONDS + LOG_LINES_MAX }, (_, second): RoomEvent[] => [
      write(second * 1000),
      { type: 'fact', at: second, fact: { type: 'trouble', detail: String(second) } },
    ]);
    const room = after(0, [...upWith({ n1: A }), ...events.flat()]);
    expect(room.traffic).toHaveLength(TRAFFIC_SECONDS);
    expect(room.log).toHaveLength(LOG_LINES_MAX);
    expect(room.log.at(-1)?.fact).toMatchObject({ detail: String(TRAFFIC_SECONDS + LOG_LINES_MAX - 1) });
    expect(new Set(room.log.map(({ id }) => id)).size).toBe(LOG_LINES_MAX);
  });

  it('has a fault in force from its beginning to its end, and tells its proof once', () => {
    const proof: RoomEvent = { type: 'proof', at: 2000, id: 7, proven: true, dropped: 3 };
    const begun = after(0, [{ type: 'begun', at: 1000, fault: fault(7) }, proof, { ...proof, dropped: 9 }]);
    expect(faultsInForce(begun)).toMatchObject([{ id: 7, proven: true, dropped: 9 }]);
    expect(begun.log.filter(({ fact }) => fact.type === 'proof')).toHaveLength(1);
    const ended = after(0, [
      { type: 'begun', at: 1000, fault: fault(7) },
      { type: 'ended', at: 3000, id: 7 },
    ]);
    expect(faultsInForce(ended)).toEqual([]);
    expect(ended.faults).toMatchObject([{ id: 7, until: 3000 }]);
  });

  it('tells how long a recovery took when it is over', () => {
    const recovery = { id: 1, fault: 7, after: 'fault', from: 1000, until: null } as const;
    const running = after(0, [{ type: 'recovery', at: 1000, recovery }]);
    expect(running.log).toEqual([]);
    const over = reduceRoom(running, { type: 'recovery', at: 1400, recovery: { ...recovery, until: 1400 } });
    expect(over.recoveries).toHaveLength(1);
    expect(over.log.at(-1)?.fact).toEqual({ type: 'recovered', after: 'fault', tookMs: 400 });
  });

  it('tells things in the order in which they happened, though it hears of them later', () => {
    const room = after(0, [
      ...upWith({ n1: A }),
      { type: 'reach', at: 1010, node: 'n1', reach: 'down' },
      { type: 'begun', at: 1000, fault: fault(7) },
    ]);
    expect(room.log.map(({ fact }) => fact.type)).toEqual(['begun', 'reach']);
  });

  it('takes a mode that a stream repeats as one change', () => {
    const change: RoomEvent = {
      type: 'lattice',
      at: 10,
      node: 'n1',
      dated: { id: 4, at: 10, event: { type: 'mode', from: 'P2P', to: 'HTTP', reason: 'silence' } },
    };
    const room = after(0, [...upWith({ n1: A }), change, change]);
    expect(room.log).toHaveLength(1);
  });

  it('tells of nodes that change alike at once in one line', () => {
    const change = { type: 'mode', from: 'P2P', to: 'HTTP', reason: 'silence' } as const;
    const room = after(0, [
      ...upWith({ n1: A, n2: A, n3: A }),
      lattice('n1', 1, 1000, change),
      lattice('n2', 1, 1100, change),
      lattice('n3', 1, 9000, change),
    ]);
    expect(room.log.map(({ fact }) => (fact.type === 'mode' ? fact.nodes : []))).toEqual([
      ['n1', 'n2'],
      ['n3'],
    ]);
  });

  it('tells what a heal brought back, in one line, and not the daily round', () => {
    const session: LatticeEvent = {
      type: 'reconciliation',
      peer: 'n2' as never,
      lung: 'p2p',
      rung: 'delta',
      pulled: 2,
      pushed: 1,
      roundTrips: 1,
      tookMs: 5,
      outcome: 'equal',
      reason: '',
    };
    const daily = after(0, [...upWith({ n1: A }), lattice('n1', 1, 500, session)]);
    expect(daily.log).toEqual([]);
    const healed = after(0, [
      ...upWith({ n1: A }),
      { type: 'begun', at: 1000, fault: fault(7) },
      { type: 'ended', at: 2000, id: 7 },
      lattice('n1', 1, 2100, session),
      lattice('n1', 2, 2200, session),
    ]);
    expect(healed.log.at(-1)?.fact).toEqual({ type: 'reconciled', nodes: ['n1'], records: 4 });
    expect(healed.log.filter(({ fact }) => fact.type === 'reconciled')).toHaveLength(1);
  });

  it('comes out of a snapshot as it went in', () => {
    const room = after(0, [
      ...upWith({ n1: A, n2: B }),
      write(1000),
      { type: 'begun', at: 1, fault: fault(1) },
    ]);
    expect(JSON.parse(JSON.stringify(room))).toEqual(room);
  });
});

function after(startedAt: number, events: readonly RoomEvent[]): RoomView {
  return events.reduce(reduceRoom, emptyRoom(startedAt, 'processes'));
}

function upWith(roots: Readonly<Record<string, Digest>>): readonly RoomEvent[] {
  return Object.entries(roots).flatMap(([name, merkleRoot]): RoomEvent[] => [
    { type: 'node', at: 0, node: name, url: `http://127.0.0.1/${name}` },
    status(name, merkleRoot, {
      peers: Object.keys(roots)
        .filter((other) => other !== name)
        .map((other) => ({ peer_id: other, p2p: { state: 'alive' }, http: { state: 'alive' } })),
    }),
  ]);
}

function status(name: string, merkleRoot: Digest, change: Partial<StatusSnapshot>): RoomEvent {
  const whole = {
    peer_id: name,
    sync_mode: 'P2P',
    forced_mode: null,
    merkle_root: merkleRoot,
    state_size: 1,
    peers: [],
  } as const;
  return { type: 'status', at: 0, node: name, status: { ...whole, ...change } };
}

function lattice(node: string, id: number, at: number, event: LatticeEvent): RoomEvent {
  return { type: 'lattice', at, node, dated: { id, at, event } };
}

function root(node: string, at: number, merkleRoot: Digest): RoomEvent {
  return lattice(node, at, at, { type: 'root', root: merkleRoot, size: 1, cause: 'write' });
}

function write(at: number): RoomEvent {
  return { type: 'write', at, node: 'n1', outcome: 'acknowledged' };
}

function fault(id: number): FaultView {
  const deed = { kind: 'cut', nodes: ['n1'], everywhere: false, lung: 'p2p' } as const;
  return { id, deed, means: '', from: 1000, until: null, proven: null, dropped: 0 };
}
