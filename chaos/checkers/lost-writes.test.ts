import { TRIAL_KEYS } from '../faults/spec.ts';
import { lostWrites } from './lost-writes.ts';
import { judge } from './testing/judge.ts';
import { NODES, Story } from './testing/story.ts';

/** Facts of all nodes, seen everywhere, there in the end. */
function told(): Story {
  const story = new Story();
  for (const node of NODES) {
    for (let at = 100; at < 500; at += 100) {
      const key = `fact/${node}/${at}`;
      story.write(node, at, key, `${node}#${at}`);
      for (const reader of NODES.filter((other) => other !== node)) story.seen(reader, at + 30, key);
    }
  }
  return story;
}

/** The end, with one node's state changed. */
function ended(story: Story, change: (state: Map<string, unknown>) => void): Story {
  const state = new Map(story.state);
  change(state);
  story.finish(1_000, { node: 'b', state });
  return story;
}

const texts = (story: Story): readonly string[] =>
  judge(lostWrites, story.lines).violations.map(({ text }) => text);

describe('no acknowledged write is lost', () => {
  it('passes a run in which all is there, and tells how long it took to be everywhere', () => {
    const story = told();
    story.finish(1_000);
    const { verdict, numbers } = judge(lostWrites, story.lines);
    expect(verdict).toBe('pass');
    expect(numbers).toMatchObject({ acknowledged: 12, stable: 12, lost: 0, stale: 0, converged_ms_max: 25 });
  });

  it('fails when one acknowledged write is missing on one node', () => {
    const story = ended(told(), (state) => state.delete('fact/a/100'));
    expect(texts(story)).toEqual(['fact/a/100 was acknowledged and is not on b']);
    expect(judge(lostWrites, story.lines).numbers).toMatchObject({ stable: 11, lost: 1 });
  });

  it('fails when an entry of an acknowledged batch is missing', () => {
    const story = told();
    story.lines.push(
      {
        type: 'invoke',
        f: 'batch',
        at: 600,
        op: 99,
        node: 'a',
        entries: [
          ['x', 1],
          ['y', 2],
        ],
      },
      { type: 'ok', f: 'batch', at: 605, op: 99, node: 'a', versions: ['1'.repeat(64), '2'.repeat(64)] },
    );
    story.state.set('x', [{ version: '1'.repeat(64), value: 1 }]);
    story.finish(1_000);
    expect(judge(lostWrites, story.lines).verdict).toBe('fail');
    expect(texts(story).filter((text) => text.startsWith('y '))).toHaveLength(3);
  });

  it('fails when a value has changed, or a version that nobody wrote is there', () => {
    const version = told().state.get('fact/a/100')?.[0]?.version ?? '';
    const changed = ended(told(), (state) => state.set('fact/a/100', [{ version, value: 'other' }]));
    expect(texts(changed)).toEqual(['fact/a/100 has another value on b than was written']);
    const strange = ended(told(), (state) => state.set('z', [{ version: 'f'.repeat(64), value: 1 }]));
    expect(texts(strange)).toEqual(['z is on b and nobody wrote it']);
  });

  it('knows that a fault tries writes of its own', () => {
    const trial = ended(told(), (state) =>
      state.set(`${TRIAL_KEYS}7`, [{ version: 'f'.repeat(64), value: 'x' }]),
    );
    expect(judge(lostWrites, trial.lines).verdict).toBe('pass');
  });

  it('fails when a refused write is there', () => {
    const story = told();
    story.unwritten('fail', 'a', 600, 'fact/a/600', 'a#600');
    ended(story, (state) => state.set('fact/a/600', [{ version: 'f'.repeat(64), value: 'a#600' }]));
    expect(texts(story)).toEqual(['fact/a/600 was refused and is on b']);
  });

  it('lets a write of unknown outcome be there or not', () => {
    for (const isThere of [true, false]) {
      const story = told();
      story.unwritten('info', 'a', 600, 'fact/a/600', 'a#600');
      if (isThere) story.state.set('fact/a/600', [{ version: 'f'.repeat(64), value: 'a#600' }]);
      story.finish(1_000);
      expect(judge(lostWrites, story.lines).verdict).toBe('pass');
    }
  });

  it('fails when a write of unknown outcome was readable and is gone', () => {
    const story = told();
    story.unwritten('info', 'a', 600, 'fact/a/600', 'a#600');
    story.seen('b', 700, 'fact/a/600');
    story.finish(1_000);
    expect(texts(story)[0]).toBe('fact/a/600 was readable and is not on a');
  });

  it('lets a write be replaced by one that may have known it, and by no other', () => {
    const story = told();
    const first = story.write('a', 600, 'k', 1);
    story.write('b', 700, 'k', 2, [first]);
    story.finish(1_000);
    expect(judge(lostWrites, story.lines).verdict).toBe('pass');

    const lost = told();
    lost.write('a', 600, 'k', 1);
    const kept = lost.state.get('k') ?? [];
    lost.write('b', 700, 'k', 2);
    lost.state.set('k', kept);
    lost.finish(1_000);
    expect(texts(lost)[0]).toBe('k was acknowledged and is not on a');
  });

  it('lets no write be replaced by one that is not there either', () => {
    const story = told();
    story.write('a', 600, 'k', 1);
    story.unwritten('info', 'a', 700, 'k', 2);
    expect(texts(ended(story, (state) => state.delete('k')))).toEqual(['k was acknowledged and is not on b']);

    const replaced = told();
    replaced.write('a', 600, 'k', 1);
    replaced.unwritten('info', 'a', 700, 'k', 2);
    replaced.state.set('k', [{ version: 'f'.repeat(64), value: 2 }]);
    replaced.finish(1_000);
    expect(judge(lostWrites, replaced.lines).verdict).toBe('pass');
  });

  it('counts what took long to be everywhere as stale', () => {
    const story = told();
    story.write('a', 600, 'fact/a/600', 'a#600');
    story.seen('b', 700, 'fact/a/600');
    story.seen('c', 3_000, 'fact/a/600');
    story.finish(4_000);
    expect(judge(lostWrites, story.lines).numbers).toMatchObject({ stale: 1, converged_ms_max: 2_395 });
  });

  it('does not know without a final read of every node, or without a write', () => {
    const story = told();
    story.finish(1_000);
    const unread = story.changed('final', (line) => (line.node === 'c' ? null : line));
    expect(judge(lostWrites, unread).verdict).toBe('unknown');
    const empty = new Story();
    empty.finish(1_000);
    expect(judge(lostWrites, empty.lines).verdict).toBe('unknown');
  });
});
