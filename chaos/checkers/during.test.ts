import { isolate, split } from '../faults/partition.ts';
import type { FaultSpec, Scope } from '../faults/spec.ts';
import type { HistoryLine } from '../history/line.ts';
import { availability } from './availability.ts';
import { budgets } from './budgets.ts';
import { carried } from './carried.ts';
import { conflictsSurfaced } from './conflicts.ts';
import { modeHonesty } from './mode-honesty.ts';
import { monotonicReads } from './monotonic-reads.ts';
import { judge } from './testing/judge.ts';
import { NODES, Story } from './testing/story.ts';

const CUT_AT = 1_000;
const LIFTED_AT = 10_000;

function cut(scope: Scope): FaultSpec {
  return { kind: 'partition', grudges: isolate(NODES, 'a'), scope, how: 'drop' };
}

/** `a` is cut off on P2P, says HTTP, and comes back. */
function cutOff(scope: Scope = 'p2p'): Story {
  const story = new Story();
  story.mark('steady', 0);
  for (const node of NODES) story.status(node, 0, 'P2P', 2, 2);
  story.fault(cut(scope), CUT_AT, LIFTED_AT);
  story.status('a', 2_000, 'HTTP', 0, 2);
  story.status('a', 11_000, 'P2P', 2, 2);
  story.mark('recovered', 25_000);
  return story;
}

describe('an honest mode', () => {
  it('says HTTP while gossip is cut, and P2P before and after', () => {
    expect(judge(modeHonesty, cutOff().lines)).toMatchObject({ verdict: 'pass' });
  });

  it('does not keep saying P2P', () => {
    const liar = cutOff().changed('status', (line) => (line.mode === 'HTTP' ? null : line));
    expect(judge(modeHonesty, liar).violations.map(({ text }) => text)).toEqual([
      'a said P2P where HTTP carried for 8950 ms',
    ]);
  });

  it('comes back', () => {
    const stuck = cutOff().changed('status', (line) => (line.at > LIFTED_AT ? null : line));
    expect(judge(modeHonesty, stuck).verdict).toBe('fail');
  });

  it('does not say P2P in between', () => {
    const story = cutOff();
    story.status('a', 4_000, 'P2P', 1, 2);
    story.status('a', 5_000, 'HTTP', 0, 2);
    expect(judge(modeHonesty, story.inOrder()).verdict).toBe('fail');
  });

  it('names no lung by which it reaches nobody', () => {
    const story = cutOff();
    story.status('b', 700, 'P2P', 0, 2);
    expect(judge(modeHonesty, story.inOrder()).verdict).toBe('fail');
  });

  it('does not switch where nothing happened', () => {
    const story = cutOff();
    story.status('b', 5_000, 'HTTP', 1, 2);
    expect(judge(modeHonesty, story.inOrder()).verdict).toBe('fail');
  });

  it('is NONE where both lungs are cut, and P2P where only HTTP is', () => {
    const none = cutOff('both').changed('status', (line) =>
      line.mode === 'HTTP' ? { ...line, mode: 'NONE' } : line,
    );
    expect(judge(modeHonesty, none).verdict).toBe('pass');
    expect(judge(modeHonesty, cutOff('both').lines).verdict).toBe('fail');
    expect(judge(modeHonesty, cutOff('http').lines).verdict).toBe('fail');
  });

  it('is not asked of a node that is down, and does not count those that are as reachable', () => {
    const story = new Story();
    story.mark('steady', 0);
    for (const node of NODES) story.status(node, 0, 'P2P', 2, 2);
    story.fault({ kind: 'kill', nodes: ['b', 'c'] }, CUT_AT, LIFTED_AT, ['b', 'c']);
    story.status('a', 2_000, 'NONE', 0, 0);
    story.status('a', 11_000, 'P2P', 2, 2);
    story.mark('recovered', 25_000);
    expect(judge(modeHonesty, story.lines).verdict).toBe('pass');
    const liar = story.changed('status', (line) => (line.mode === 'NONE' ? null : line));
    expect(judge(modeHonesty, liar).verdict).toBe('fail');
  });

  it('follows the operator', () => {
    const story = cutOff();
    story.lines.push({ type: 'force', at: 12_000, node: 'b', mode: 'HTTP' });
    expect(judge(modeHonesty, story.inOrder()).verdict).toBe('fail');
    story.status('b', 12_100, 'HTTP', 2, 2);
    expect(judge(modeHonesty, story.inOrder()).verdict).toBe('pass');
  });

  it('is not known where no node had to leave P2P, or one never told its mode', () => {
    const calm = cutOff().changed('fault', () => null);
    expect(
      judge(
        modeHonesty,
        calm.filter((line) => line.type !== 'status' || line.at === 0),
      ).verdict,
    ).toBe('unknown');
    const silent = cutOff().changed('status', (line) => (line.node === 'c' ? null : line));
    expect(judge(modeHonesty, silent).verdict).toBe('unknown');
  });
});

describe('writes cross the cut', () => {
  function crossing(): Story {
    const story = cutOff();
    for (const at of [2_000, 3_000, 4_000]) {
      for (const node of NODES) {
        story.write(node, at, `fact/${node}/${at}`, at);
        for (const reader of NODES.filter((other) => other !== node))
          story.seen(reader, at + 300, `fact/${node}/${at}`);
      }
    }
    return story;
  }

  it('all of them, before the heal', () => {
    expect(judge(carried, crossing().inOrder())).toMatchObject({
      verdict: 'pass',
      detail: '12 arrivals across',
    });
  });

  it.each([
    ['from the cut node', 'b', 'fact/a/2000'],
    ['to the cut node', 'a', 'fact/b/2000'],
  ])('not so when one %s does not arrive, or only after the heal', (_, reader, key) => {
    const isIt = (line: { readonly node: string; readonly key: string }) =>
      line.node === reader && line.key === key;
    const missing = crossing().changed('seen', (line) => (isIt(line) ? null : line));
    expect(
      judge(
        carried,
        missing.toSorted((a, b) => a.at - b.at),
      ).verdict,
    ).toBe('fail');
    const late = crossing().changed('seen', (line) => (isIt(line) ? { ...line, at: LIFTED_AT + 1 } : line));
    expect(
      judge(
        carried,
        late.toSorted((a, b) => a.at - b.at),
      ).verdict,
    ).toBe('fail');
  });

  it('is not known when hardly anything was written meanwhile, or both lungs were cut', () => {
    expect(judge(carried, cutOff().lines).verdict).toBe('unknown');
    expect(judge(carried, cutOff('both').lines).verdict).toBe('unknown');
  });
});

describe('conflicts', () => {
  const halves: FaultSpec = {
    kind: 'partition',
    grudges: split(NODES, [['a'], ['b', 'c']]),
    scope: 'both',
    how: 'drop',
  };

  /** Two writes of one key at nodes held apart; another one later, known and replaced. */
  function conflicted(): Story {
    const story = new Story();
    story.fault(halves, CUT_AT, LIFTED_AT);
    story.write('a', 2_000, 'shared/1', 'a');
    story.write('b', 2_000, 'shared/1', 'b');
    const one = story.write('a', 3_000, 'shared/2', 'a');
    const other = story.write('b', 3_000, 'shared/2', 'b');
    story.write('c', 12_000, 'shared/2', 'c', [one, other]);
    return story;
  }

  it('are told, with all that nobody has replaced', () => {
    const story = conflicted();
    story.finish(20_000);
    expect(judge(conflictsSurfaced, story.inOrder())).toMatchObject({
      verdict: 'pass',
      detail: '2 conflicts provably made and told, 2 resolved for good',
    });
  });

  it('are not swallowed', () => {
    const story = conflicted();
    story.state.set('shared/1', (story.state.get('shared/1') ?? []).slice(0, 1));
    story.finish(20_000);
    const { violations } = judge(conflictsSurfaced, story.inOrder());
    expect(violations[0]?.text).toBe('shared/1: the write at a did not know the one at b, and is gone');
  });

  it('are not swallowed for the sake of a write that is nowhere itself', () => {
    const story = conflicted();
    story.state.set('shared/1', (story.state.get('shared/1') ?? []).slice(0, 1));
    story.unwritten('info', 'c', 12_500, 'shared/1', 'c');
    story.finish(20_000);
    expect(judge(conflictsSurfaced, story.inOrder()).verdict).toBe('fail');
  });

  it('are not proven across a start, when a new namespace has no rules for a moment', () => {
    const story = conflicted();
    const first = story.write('a', 4_000, 'shared/3', 'a');
    story.fault({ kind: 'kill', nodes: ['c'] }, 5_000, 6_000, ['c']);
    story.write('b', 7_000, 'shared/3', 'b', [first]);
    story.finish(20_000);
    expect(judge(conflictsSurfaced, story.inOrder())).toMatchObject({
      verdict: 'pass',
      detail: '2 conflicts provably made and told, 3 resolved for good',
    });
  });

  it('are not kept to oneself', () => {
    const story = conflicted();
    story.finish(20_000);
    const quiet = story.changed('entries', (line) => ({
      ...line,
      entries: line.entries.map((entry) => ({ ...entry, conflict: false })),
    }));
    expect(judge(conflictsSurfaced, quiet).verdict).toBe('fail');
  });

  it('have the same winner everywhere', () => {
    const story = conflicted();
    const state = new Map(story.state);
    state.set('shared/1', (story.state.get('shared/1') ?? []).toReversed());
    story.finish(20_000, { node: 'c', state });
    expect(judge(conflictsSurfaced, story.inOrder()).verdict).toBe('fail');
  });

  it('do not come back when they were resolved', () => {
    const story = conflicted();
    story.state.set('shared/2', [
      ...(story.state.get('shared/2') ?? []),
      { version: storyVersion(story, 'shared/2', 'a'), value: 'a' },
    ]);
    story.finish(20_000);
    expect(judge(conflictsSurfaced, story.inOrder()).violations[0]?.text).toBe(
      'shared/2: what a write had replaced is back on a',
    );
  });

  it('are not known where nothing held the writers apart', () => {
    const story = new Story();
    story.write('a', 2_000, 'shared/1', 'a');
    story.write('b', 2_000, 'shared/1', 'b');
    story.finish(20_000);
    expect(judge(conflictsSurfaced, story.lines).verdict).toBe('unknown');
  });
});

/** The version of the write with this value. */
function storyVersion(story: Story, key: string, value: string): string {
  const write = story.lines.find(
    (line) => line.type === 'invoke' && line.f === 'write' && line.key === key && line.value === value,
  );
  const op = write?.type === 'invoke' ? write.op : 0;
  const done = story.lines.find((line) => line.type === 'ok' && line.op === op);
  return done?.type === 'ok' && done.f === 'write' ? done.version : '';
}

describe('monotonic reads', () => {
  function counted(): Story {
    const story = new Story();
    for (let count = 1; count <= 30; count += 1) {
      story.write('a', count * 100, 'register/a', count);
      story.read('b', count * 100 + 50, 'register/a', count);
    }
    return story;
  }

  it('never go back', () => {
    expect(judge(monotonicReads, counted().lines).verdict).toBe('pass');
    const story = counted();
    story.read('b', 5_000, 'register/a', 29);
    expect(judge(monotonicReads, story.lines).violations).toEqual([
      { text: 'b shows register/a = 29 after 30', at: 5_005, node: 'b' },
    ]);
  });

  it('forget nothing', () => {
    const story = counted();
    story.read('b', 5_000, 'register/a', null);
    expect(judge(monotonicReads, story.lines).verdict).toBe('fail');
  });

  it('show what was acknowledged at the same node', () => {
    const story = counted();
    story.read('a', 5_000, 'register/a', 29);
    expect(judge(monotonicReads, story.lines).verdict).toBe('fail');
    const elsewhere = counted();
    elsewhere.read('c', 5_000, 'register/a', 1);
    expect(judge(monotonicReads, elsewhere.lines).verdict).toBe('pass');
  });

  it('are not known of a few', () => {
    const few = counted().lines.filter((line) => line.at < 500);
    expect(judge(monotonicReads, few).verdict).toBe('unknown');
  });
});

describe('availability', () => {
  function asked(): Story {
    const story = cutOff();
    for (let at = 0; at < 20_000; at += 500) {
      for (const node of NODES) {
        story.write(node, at, `fact/${node}/${at}`, at);
        story.read(node, at + 50, 'k', 1);
      }
    }
    return story;
  }

  it('holds where every node answers, cut off or not', () => {
    expect(judge(availability, asked().inOrder()).verdict).toBe('pass');
  });

  it('fails where a node that runs answers too late', () => {
    const story = asked();
    story.read('b', 5_000, 'k', 1, 2_100);
    expect(judge(availability, story.inOrder()).violations).toEqual([
      {
        text: 'one of the reads at b was answered after 2100 ms, while others were sooner',
        at: 5_000,
        node: 'b',
      },
    ]);
  });

  it('fails where a node that runs answers all too late', () => {
    const story = cutOff();
    for (let at = 0; at < 20_000; at += 500) {
      story.write('b', at, `fact/b/${at}`, at);
      // Whoever asks from 5 s to 7 s waits until then.
      story.read('b', at, 'k', 1, at >= 5_000 && at < 7_100 ? 7_100 - at : 5);
    }
    expect(judge(availability, story.inOrder()).violations).toEqual([
      { text: 'no reads at b for 2100 ms', at: 5_000, node: 'b' },
    ]);
  });

  it('counts from the first attempt in vain to the next success', () => {
    const story = asked();
    const silent = story
      .inOrder()
      .filter(
        (line) =>
          line.type !== 'ok' || line.node !== 'b' || line.f !== 'read' || line.at < 6_000 || line.at > 9_000,
      );
    const lines = [...silent];
    for (let at = 6_000; at < 9_000; at += 500) {
      const other = new Story();
      other.unanswered('b', at, 'k');
      lines.push(...other.lines.map((line) => ('op' in line ? { ...line, op: 90_000 + at } : line)));
    }
    const { verdict, violations } = judge(
      availability,
      lines.toSorted((a, b) => a.at - b.at),
    );
    expect(verdict).toBe('fail');
    expect(violations[0]?.text).toMatch(/no reads at b for 3\d\d\d ms/);
  });

  it('leaves out what the lab struck itself', () => {
    const story = asked();
    story.read('b', 5_000, 'k', 1, 2_100);
    story.fault({ kind: 'freeze', nodes: ['b'], how: 'sigstop' }, 5_000, 7_000, ['b']);
    expect(judge(availability, story.inOrder()).verdict).toBe('pass');
  });

  /** The same, but from some time on no read at b is answered. */
  function silentFrom(story: Story, from: number): readonly HistoryLine[] {
    const isSilent = (line: HistoryLine): boolean =>
      line.type === 'ok' && line.f === 'read' && line.node === 'b' && line.at >= from;
    return story
      .inOrder()
      .map((line) =>
        isSilent(line) && line.type === 'ok'
          ? { type: 'fail', at: line.at, op: line.op, node: line.node, reason: 'no answer' }
          : line,
      );
  }

  it('fails where a node never answers again', () => {
    expect(judge(availability, silentFrom(asked(), 6_000)).violations).toEqual([
      { text: 'no reads at b for 13505 ms', at: 6_050, node: 'b' },
    ]);
  });

  it('excuses no more than the time of the blow and what comes right after it', () => {
    const story = asked();
    story.fault({ kind: 'freeze', nodes: ['b'], how: 'sigstop' }, 6_000, 7_000, ['b']);
    expect(judge(availability, silentFrom(story, 6_000)).violations).toEqual([
      { text: 'no reads at b for 10505 ms', at: 9_050, node: 'b' },
    ]);
  });

  it('is not known of a few operations', () => {
    expect(judge(availability, cutOff().lines).verdict).toBe('unknown');
  });
});

describe('budgets', () => {
  const measured = (ms: number | null) =>
    ({ type: 'measured', at: 3_000, from: 1_000, what: 'failover', ms, budgetMs: 1_500, round: 1 }) as const;
  const lag = (at: number, loopMs: number) => ({ type: 'lag', at, loopMs, stalledMs: null }) as const;

  it('are met', () => {
    expect(judge(budgets, [measured(1_500)]).verdict).toBe('pass');
  });

  it('fail where one is missed, or never comes to an end', () => {
    expect(judge(budgets, [measured(1_501), lag(2_000, 5)]).verdict).toBe('fail');
    expect(judge(budgets, [measured(1_000), measured(null)]).verdict).toBe('fail');
  });

  it('are not known where the lab itself was held up meanwhile', () => {
    const held = judge(budgets, [measured(1_501), lag(2_000, 400)]);
    expect(held.verdict).toBe('unknown');
    expect(held.violations).toHaveLength(1);
    expect(judge(budgets, [measured(1_501), lag(500, 400), lag(9_000, 400)]).verdict).toBe('fail');
  });

  it('are not known where something waited for a processor all the time', () => {
    const stalled = (at: number, stalledMs: number) => ({ type: 'lag', at, loopMs: 0, stalledMs }) as const;
    expect(judge(budgets, [measured(1_501), stalled(2_000, 980), stalled(3_000, 1_000)]).verdict).toBe(
      'unknown',
    );
    expect(judge(budgets, [measured(1_501), stalled(2_000, 980), stalled(3_000, 400)]).verdict).toBe('fail');
  });

  it('are not known where the disk held up the lab itself for as long as they were missed by', () => {
    const held = (at: number, flushMs: number) =>
      ({ type: 'lag', at, loopMs: 0, stalledMs: null, flushMs }) as const;
    const late = judge(budgets, [measured(1_700), held(2_000, 210)]);
    expect(late.verdict).toBe('unknown');
    expect(late.detail).toContain('the disk held up for up to 210 ms');
    expect(judge(budgets, [measured(1_700), held(2_000, 190)]).verdict).toBe('fail');
    expect(judge(budgets, [measured(1_510), held(2_000, 90)]).verdict).toBe('fail');
    expect(judge(budgets, [measured(1_700), held(9_000, 210)]).verdict).toBe('fail');
  });

  it('are not known where one could not be measured, and fail where another is missed', () => {
    const open = {
      type: 'unmeasured',
      at: 3_000,
      from: 1_000,
      what: 'failover',
      why: 'it was so before',
      budgetMs: 1_500,
      round: 2,
    } as const;
    const known = judge(budgets, [measured(1_000), open]);
    expect(known.verdict).toBe('unknown');
    expect(known.detail).toBe('1 of 1 met; not measured: failover, since it was so before');
    expect(judge(budgets, [measured(1_501), open, lag(2_000, 5)]).verdict).toBe('fail');
  });

  it('are not known where nothing was measured', () => {
    expect(judge(budgets, [lag(1_000, 1)]).verdict).toBe('unknown');
  });
});
