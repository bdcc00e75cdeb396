import type { HistoryLine } from '../history/history.ts';
import { checkCarried } from './carried.ts';
import { checkConvergence } from './convergence.ts';
import { checkLostWrites } from './lost-writes.ts';
import { checkModeHonesty } from './mode-honesty.ts';

const NODES = ['a', 'b', 'c'];
const VICTIM = 'a';
const CUT_AT = 1_000;
const LIFTED_AT = 10_000;

/** A run as it should be: writes before, during and after a cut of `a`, everything seen everywhere. */
function goodRun(): HistoryLine[] {
  const lines: HistoryLine[] = [{ type: 'mark', at: 500, mark: 'steady', node: '' }];
  const entries: Record<string, unknown> = {};
  let op = 0;
  const write = (node: string, at: number): string => {
    op += 1;
    const key = `fact/${node}/${op}`;
    entries[key] = `${node}#${op}`;
    lines.push({ type: 'invoke', at, op, node, key, value: `${node}#${op}` });
    lines.push({ type: 'ok', at: at + 5, op, node, key });
    for (const reader of NODES.filter((other) => other !== node))
      lines.push({ type: 'seen', at: at + 300, node: reader, key });
    return key;
  };
  for (const node of NODES) lines.push({ type: 'status', at: 0, node, mode: 'P2P', p2pUp: 2, httpUp: 2 });
  for (const node of NODES) write(node, 600);
  lines.push({ type: 'mark', at: CUT_AT, mark: 'cut', node: VICTIM });
  lines.push({ type: 'status', at: 2_000, node: VICTIM, mode: 'HTTP', p2pUp: 0, httpUp: 2 });
  for (const at of [1_500, 2_500, 3_500]) for (const node of NODES) write(node, at);
  lines.push({ type: 'mark', at: LIFTED_AT, mark: 'lifted', node: VICTIM });
  lines.push({ type: 'status', at: 11_000, node: VICTIM, mode: 'P2P', p2pUp: 2, httpUp: 2 });
  lines.push({ type: 'mark', at: 10_500, mark: 'fresh', node: VICTIM, key: write(VICTIM, 10_400) });
  for (const node of NODES) lines.push({ type: 'final', at: 12_000, node, root: 'e'.repeat(64), entries });
  return lines;
}

function without(type: HistoryLine['type'], node?: string): HistoryLine[] {
  return goodRun().filter(
    (line) => line.type !== type || (node !== undefined && 'node' in line && line.node !== node),
  );
}

/** The final reads of one node, spoiled. */
function spoiled(
  node: string,
  change: (entries: Record<string, unknown>) => void,
  root?: string,
): HistoryLine[] {
  return goodRun().map((line) => {
    if (line.type !== 'final' || line.node !== node) return line;
    const entries = { ...line.entries };
    change(entries);
    return { ...line, entries, root: root ?? line.root };
  });
}

describe('no acknowledged write is lost', () => {
  it('passes a run in which all is there', () => {
    expect(checkLostWrites(goodRun(), NODES).verdict).toBe('pass');
  });

  it('fails when one acknowledged write is missing on one node', () => {
    const result = checkLostWrites(
      spoiled('b', (entries) => delete entries['fact/a/4']),
      NODES,
    );
    expect(result.verdict).toBe('fail');
    expect(result.violations).toEqual(['fact/a/4 was acknowledged and is not on b']);
  });

  it('fails when a value has changed', () => {
    expect(
      checkLostWrites(
        spoiled('c', (entries) => (entries['fact/a/4'] = 'other')),
        NODES,
      ).verdict,
    ).toBe('fail');
  });

  it('fails when a refused write is there', () => {
    const refused: HistoryLine = { type: 'fail', at: 1, op: 99, node: 'a', key: 'fact/a/99', reason: '412' };
    const history = [...spoiled('a', (entries) => (entries['fact/a/99'] = 'a#99')), refused];
    expect(checkLostWrites(history, NODES).violations).toEqual(['fact/a/99 was refused and is on a']);
  });

  it('lets a write of unknown outcome be there or not', () => {
    const unsure: HistoryLine = {
      type: 'info',
      at: 1,
      op: 99,
      node: 'a',
      key: 'fact/a/99',
      reason: 'timeout',
    };
    expect(checkLostWrites([...goodRun(), unsure], NODES).verdict).toBe('pass');
    expect(checkLostWrites([...spoiled('a', (e) => (e['fact/a/99'] = 'a#99')), unsure], NODES).verdict).toBe(
      'pass',
    );
  });

  it('does not know without a final read of every node, or without a write', () => {
    expect(checkLostWrites(without('final', 'c'), NODES).verdict).toBe('unknown');
    expect(checkLostWrites(without('ok'), NODES).verdict).toBe('unknown');
  });
});

describe('equal roots with a fresh write', () => {
  it('passes a run that has them', () => {
    expect(checkConvergence(goodRun(), NODES).verdict).toBe('pass');
  });

  it('fails when one root is another', () => {
    expect(
      checkConvergence(
        spoiled('c', () => undefined, 'f'.repeat(64)),
        NODES,
      ).verdict,
    ).toBe('fail');
  });

  it('fails when equal roots stand over a state without the fresh write', () => {
    expect(
      checkConvergence(
        spoiled('c', (entries) => delete entries['fact/a/13']),
        NODES,
      ).verdict,
    ).toBe('fail');
  });

  it('does not know without a heal, a fresh write, or a final read', () => {
    const unhealed = goodRun().filter((line) => line.type !== 'mark' || line.mark !== 'lifted');
    const stale = goodRun().filter((line) => line.type !== 'mark' || line.mark !== 'fresh');
    expect(checkConvergence(unhealed, NODES).verdict).toBe('unknown');
    expect(checkConvergence(stale, NODES).verdict).toBe('unknown');
    expect(checkConvergence(without('final', 'a'), NODES).verdict).toBe('unknown');
  });
});

describe('an honest mode', () => {
  const status = (
    at: number,
    node: string,
    mode: 'P2P' | 'HTTP' | 'NONE',
    p2pUp: number,
    httpUp: number,
  ): HistoryLine => ({
    type: 'status',
    at,
    node,
    mode,
    p2pUp,
    httpUp,
  });
  const inOrder = (...more: HistoryLine[]): HistoryLine[] =>
    [...goodRun(), ...more].toSorted((a, b) => a.at - b.at);

  it('passes a node that says HTTP while it is cut, and P2P before and after', () => {
    expect(checkModeHonesty(goodRun(), NODES).verdict).toBe('pass');
  });

  it('fails a node that keeps saying P2P', () => {
    const liar = goodRun().filter((line) => line.type !== 'status' || line.mode !== 'HTTP');
    expect(checkModeHonesty(liar, NODES).violations).toEqual(['a never said HTTP while it was cut off']);
  });

  it('fails a node that never comes back', () => {
    const stuck = goodRun().filter((line) => line.type !== 'status' || line.at < LIFTED_AT);
    expect(checkModeHonesty(stuck, NODES).violations).toEqual(['a never said P2P again after the cut']);
  });

  it('fails a node that says P2P in between', () => {
    expect(checkModeHonesty(inOrder(status(3_000, 'a', 'P2P', 1, 2)), NODES).verdict).toBe('fail');
  });

  it('fails a node that names a lung by which it reaches nobody', () => {
    expect(checkModeHonesty(inOrder(status(700, 'b', 'P2P', 0, 2)), NODES).verdict).toBe('fail');
  });

  it('fails a node that switches though nothing happened to it', () => {
    expect(checkModeHonesty(inOrder(status(3_000, 'b', 'HTTP', 0, 2)), NODES).verdict).toBe('fail');
  });

  it('does not know without a cut, or without the word of every node', () => {
    expect(
      checkModeHonesty(
        goodRun().filter((line) => line.type !== 'mark'),
        NODES,
      ).verdict,
    ).toBe('unknown');
    expect(checkModeHonesty(without('status', 'c'), NODES).verdict).toBe('unknown');
  });
});

describe('writes cross the cut', () => {
  it('passes when all arrive before the heal', () => {
    expect(checkCarried(goodRun(), NODES).verdict).toBe('pass');
  });

  it.each([
    ['from the cut node', 'b', 'fact/a/4'],
    ['to the cut node', 'a', 'fact/b/5'],
  ])('fails when one %s does not', (_, reader, key) => {
    const history = goodRun().filter(
      (line) => line.type !== 'seen' || line.node !== reader || line.key !== key,
    );
    expect(checkCarried(history, NODES).verdict).toBe('fail');
  });

  it('fails when one arrives only after the heal', () => {
    const late = goodRun().map((line) =>
      line.type === 'seen' && line.key === 'fact/a/4' ? { ...line, at: LIFTED_AT + 1 } : line,
    );
    expect(checkCarried(late, NODES).verdict).toBe('fail');
  });

  it('does not know when hardly anything was written during the cut', () => {
    const quiet = goodRun().filter((line) => line.type !== 'ok' || line.at < CUT_AT || line.at > LIFTED_AT);
    expect(checkCarried(quiet, NODES).verdict).toBe('unknown');
    expect(
      checkCarried(
        goodRun().filter((line) => line.type !== 'mark'),
        NODES,
      ).verdict,
    ).toBe('unknown');
  });
});
