import type { Digest } from '../node/protocol/ids.ts';
import type { DatedEvent, LatticeEvent } from '../node/protocol/events.ts';
import { emptyView, reduce, rootsOf, STORY_LINES_MAX } from './view.ts';
import type { ClusterView, NodeView, StatusSnapshot, ViewEvent } from './view.ts';

const ROOT_A = 'a'.repeat(64) as Digest;
const ROOT_B = 'b'.repeat(64) as Digest;

describe('what a watcher knows of a cluster', () => {
  it('shows what a node said last', () => {
    const view = after([
      announce('n1'),
      status('n1', { merkle_root: ROOT_A }),
      status('n1', { merkle_root: ROOT_B, state_size: 7 }),
    ]);
    expect(node(view, 'n1').said).toMatchObject({
      root: ROOT_B,
      size: 7,
      mode: 'P2P',
      aliveP2p: 1,
      aliveHttp: 2,
    });
  });

  it('follows the mode and the root by events between two snapshots', () => {
    const view = after([
      announce('n1'),
      status('n1', {}),
      lattice('n1', 1, { type: 'mode', from: 'P2P', to: 'HTTP', reason: 'silence' }),
      lattice('n1', 2, { type: 'root', root: ROOT_B, size: 3, cause: 'sync' }),
    ]);
    expect(node(view, 'n1').said).toMatchObject({ mode: 'HTTP', root: ROOT_B, size: 3 });
    expect(node(view, 'n1').lastSwitch).toEqual({ from: 'P2P', to: 'HTTP', reason: 'silence', at: 101 });
  });

  it('takes each event of a stream once, also when the stream repeats itself', () => {
    const view = after([
      announce('n1'),
      status('n1', {}),
      lattice('n1', 5, { type: 'root', root: ROOT_B, size: 3, cause: 'write' }),
      lattice('n1', 4, { type: 'root', root: ROOT_A, size: 2, cause: 'write' }),
    ]);
    expect(node(view, 'n1').said?.root).toBe(ROOT_B);
  });

  it('listens to the low event numbers of a node that was started again', () => {
    const view = after([
      announce('n1'),
      status('n1', {}),
      lattice('n1', 50, { type: 'root', root: ROOT_A, size: 3, cause: 'write' }),
      { type: 'reach', at: 3, node: 'n1', reach: 'down' },
      { type: 'reach', at: 4, node: 'n1', reach: 'up' },
      status('n1', {}),
      lattice('n1', 1, { type: 'root', root: ROOT_B, size: 4, cause: 'sync' }),
    ]);
    expect(node(view, 'n1').said?.root).toBe(ROOT_B);
  });

  it('does not take what a node said before it went down for what it says after', () => {
    const down = after([
      announce('n1'),
      status('n1', {}),
      { type: 'reach', at: 3, node: 'n1', reach: 'down' },
    ]);
    expect(node(down, 'n1').said?.root).toBe(ROOT_A);
    expect(node(reduce(down, { type: 'reach', at: 4, node: 'n1', reach: 'up' }), 'n1').said).toBeNull();
    expect(node(reduce(down, lattice('n1', 1, { type: 'forced', mode: null })), 'n1').said).toBeNull();
  });

  it('counts the roots of those that answer, not of those that are down', () => {
    const unlike = after([
      announce('n1'),
      announce('n2'),
      status('n1', {}),
      status('n2', { merkle_root: ROOT_B }),
    ]);
    expect(rootsOf(unlike)).toEqual([ROOT_A, ROOT_B]);
    expect(rootsOf(reduce(unlike, { type: 'reach', at: 9, node: 'n2', reach: 'down' }))).toEqual([ROOT_A]);
  });

  it('counts writes of the whole and of the node that took them', () => {
    const view = after([
      announce('n1'),
      announce('n2'),
      { type: 'write', at: 1, node: 'n1', outcome: 'acknowledged' },
      { type: 'write', at: 2, node: 'n2', outcome: 'acknowledged' },
      { type: 'write', at: 3, node: 'n2', outcome: 'failed' },
    ]);
    expect(view.writes).toEqual({ acknowledged: 2, failed: 1 });
    expect(node(view, 'n2').writes).toEqual({ acknowledged: 1, failed: 1 });
  });

  it('shows a fault from its injection to its healing, once', () => {
    const fault = (state: 'injected' | 'healed'): ViewEvent => ({
      type: 'fault',
      at: 1,
      node: 'n1',
      fault: 'p2p cut',
      state,
    });
    const hurt = after([announce('n1'), fault('injected'), fault('injected')]);
    expect(node(hurt, 'n1').faults).toEqual(['p2p cut']);
    expect(node(reduce(hurt, fault('healed')), 'n1').faults).toEqual([]);
  });

  it('keeps its story bounded, the newest lines last', () => {
    const lines = Array.from({ length: STORY_LINES_MAX + 5 }, (_, i): ViewEvent => ({
      type: 'story',
      at: i,
      kind: 'step',
      text: String(i),
    }));
    const view = after(lines);
    expect(view.story).toHaveLength(STORY_LINES_MAX);
    expect(view.story.at(-1)?.text).toBe(String(STORY_LINES_MAX + 4));
  });

  it('ignores nodes that were never announced, and never goes back in time', () => {
    const view = after([announce('n1', 50), status('stranger', {}), { type: 'clock', at: 40 }]);
    expect(view.nodes.map(({ name }) => name)).toEqual(['n1']);
    expect(view.now).toBe(50);
  });

  it('leaves the view it was given as it was', () => {
    const before = after([announce('n1'), status('n1', {})]);
    const copy = structuredClone(before);
    reduce(before, { type: 'write', at: 5, node: 'n1', outcome: 'failed' });
    expect(before).toEqual(copy);
  });
});

function after(events: readonly ViewEvent[]): ClusterView {
  return events.reduce(reduce, emptyView(0));
}

function node(view: ClusterView, name: string): NodeView {
  const found = view.nodes.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no node ${name}`);
  return found;
}

function announce(name: string, at = 0): ViewEvent {
  return { type: 'node', at, node: name, url: `http://127.0.0.1/${name}` };
}

function status(name: string, change: Partial<StatusSnapshot>): ViewEvent {
  const peers: StatusSnapshot['peers'] = [
    { peer_id: 'p', p2p: { state: 'alive' }, http: { state: 'alive' } },
    { peer_id: 'q', p2p: { state: 'dead' }, http: { state: 'alive' } },
  ];
  const whole = {
    peer_id: name,
    sync_mode: 'P2P',
    forced_mode: null,
    merkle_root: ROOT_A,
    state_size: 1,
    peers,
  } as const;
  return { type: 'status', at: 1, node: name, status: { ...whole, ...change } };
}

function lattice(name: string, id: number, event: LatticeEvent): ViewEvent {
  const dated: DatedEvent = { id, at: 100 + id, event };
  return { type: 'lattice', at: 2, node: name, dated };
}
