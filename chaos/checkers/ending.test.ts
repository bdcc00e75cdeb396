import { conservation } from './conservation.ts';
import { convergence } from './convergence.ts';
import { honestRoot } from './honest-root.ts';
import { judge } from './testing/judge.ts';
import { NODES, Story } from './testing/story.ts';

/** Healed, a fresh write, and its end. */
function healed(): Story {
  const story = new Story();
  story.mark('steady', 100);
  story.write('a', 200, 'fact/a/1', 'one');
  story.mark('healed', 300);
  story.write('b', 400, 'fact/b/1', 'fresh');
  story.mark('fresh', 410, 'fact/b/1');
  return story;
}

describe('equal roots with a fresh write', () => {
  it('passes a run that has them', () => {
    const story = healed();
    story.finish(1_000);
    expect(judge(convergence, story.lines).verdict).toBe('pass');
  });

  it('fails when one root is another', () => {
    const story = healed();
    story.finish(1_000);
    const lines = story.changed('final', (line) =>
      line.node === 'c' ? { ...line, root: 'f'.repeat(64) } : line,
    );
    expect(judge(convergence, lines).verdict).toBe('fail');
  });

  it('fails when equal roots stand over a state without the fresh write', () => {
    const story = healed();
    story.finish(1_000);
    const lines = story.changed('entries', (line) => (line.node === 'c' ? { ...line, entries: [] } : line));
    expect(judge(convergence, lines).violations.map(({ text }) => text)).toEqual([
      'c lacks fact/b/1, written after the heal',
    ]);
  });

  it('does not know without a heal, a fresh write after it, or a final read', () => {
    const story = healed();
    story.finish(1_000);
    const without = (mark: string) => story.changed('mark', (line) => (line.mark === mark ? null : line));
    expect(judge(convergence, without('healed')).verdict).toBe('unknown');
    expect(judge(convergence, without('fresh')).verdict).toBe('unknown');
    expect(
      judge(
        convergence,
        story.changed('final', () => null),
      ).verdict,
    ).toBe('unknown');
    story.mark('healed', 500);
    expect(judge(convergence, story.lines).verdict).toBe('unknown');
  });
});

describe('an honest root', () => {
  it('is that of the entries, with their siblings', () => {
    const story = healed();
    story.write('a', 500, 'k', 1);
    story.write('b', 500, 'k', 2);
    story.finish(1_000);
    expect(judge(honestRoot, story.lines).verdict).toBe('pass');
  });

  it('is no other, though all nodes tell the same', () => {
    const story = healed();
    story.finish(1_000);
    const lies = story.changed('final', (line) => ({ ...line, root: 'e'.repeat(64) }));
    expect(judge(honestRoot, lies).violations).toHaveLength(NODES.length);
  });

  it('does not stand over an entry that is not shown, or a count that is wrong', () => {
    const story = healed();
    story.finish(1_000);
    const hidden = story.changed('entries', (line) => ({ ...line, entries: line.entries.slice(1) }));
    expect(judge(honestRoot, hidden).verdict).toBe('fail');
    const miscounted = story.changed('final', (line) => ({ ...line, size: line.size + 1 }));
    expect(judge(honestRoot, miscounted).verdict).toBe('fail');
  });

  it('is none where a version names no record', () => {
    const story = healed();
    story.finish(1_000);
    const strange = story.changed('entries', (line) => ({
      ...line,
      entries: line.entries.map((entry) => ({ ...entry, version: 'v1', id: 'v1' })),
    }));
    expect(judge(honestRoot, strange).verdict).toBe('fail');
  });

  it('is not known of an empty state, or of a node that was not read', () => {
    const empty = new Story();
    empty.finish(1_000);
    expect(judge(honestRoot, empty.lines).verdict).toBe('unknown');
    const story = healed();
    story.finish(1_000);
    expect(
      judge(
        honestRoot,
        story.changed('final', (line) => (line.node === 'a' ? null : line)),
      ).verdict,
    ).toBe('unknown');
  });
});

describe('the sum of all accounts', () => {
  /** Two accounts, one transfer, many reads. */
  function banked(): Story {
    const story = new Story();
    for (const node of ['a', 'b'])
      story.write(node, 10, `bank/${node}/opened`, { from: null, to: node, amount: 100 });
    story.mark('steady', 50);
    story.write('a', 100, 'bank/a/1', { from: 'a', to: 'b', amount: 30 });
    for (let at = 200; at < 500; at += 10) story.balances('c', at, { a: 70, b: 130 });
    return story;
  }

  it('is conserved', () => {
    const story = banked();
    story.finish(1_000);
    expect(judge(conservation, story.lines).verdict).toBe('pass');
  });

  it('fails at the read that misses some', () => {
    const story = banked();
    story.balances('b', 600, { a: 70, b: 129 });
    story.finish(1_000);
    expect(judge(conservation, story.lines).violations).toEqual([
      { text: 'b has 199 in all accounts, not 200', at: 600, node: 'b' },
    ]);
  });

  it('fails when an account is overdrawn in the end, because what it had got is lost', () => {
    const story = banked();
    story.write('b', 700, 'bank/b/1', { from: 'b', to: 'a', amount: 120 });
    const state = new Map(story.state);
    state.delete('bank/a/1');
    story.finish(1_000, { node: 'c', state });
    expect(judge(conservation, story.lines).violations.map(({ text }) => text)).toEqual([
      'b is at -20 in the end on c',
    ]);
  });

  it('fails on what is no transfer', () => {
    const story = banked();
    story.state.set('bank/a/2', [{ version: 'f'.repeat(64), value: 'money' }]);
    story.finish(1_000);
    expect(judge(conservation, story.lines).verdict).toBe('fail');
  });

  it('is not known without accounts, or with few reads', () => {
    const story = healed();
    story.finish(1_000);
    expect(judge(conservation, story.lines).verdict).toBe('unknown');
    const unread = banked();
    unread.finish(1_000);
    const few = unread.changed('ok', (line) => (line.f === 'balances' && line.at > 220 ? null : line));
    expect(judge(conservation, few).verdict).toBe('unknown');
  });
});
