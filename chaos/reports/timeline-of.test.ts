import { valueAt } from './timeline.ts';
import { TimelineOf } from './timeline-of.ts';
import { Story, NODES } from '../checkers/testing/story.ts';
import { isolate } from '../faults/partition.ts';

function timelineOf(story: Story) {
  const drawn = new TimelineOf(NODES);
  for (const line of story.lines) drawn.take(line);
  return drawn.timeline();
}

describe('a timeline', () => {
  it('measures a write to the last reader, and calls it unseen where one never read it', () => {
    const story = new Story();
    story.write('a', 100, 'fact/a/00000001', 'x');
    story.seen('b', 120, 'fact/a/00000001');
    story.seen('c', 180, 'fact/a/00000001');
    story.write('a', 200, 'fact/a/00000002', 'y');
    story.seen('b', 220, 'fact/a/00000002');
    const [first, second] = timelineOf(story).writes;
    expect(first).toMatchObject({ node: 'a', tookMs: 180 - (first?.ackedAt ?? 0) });
    expect(second?.tookMs).toBeNull();
  });

  it('has a band for a fault, over the node that it holds apart, until it is lifted', () => {
    const story = new Story();
    story.fault({ kind: 'partition', grudges: isolate(NODES, 'b'), scope: 'p2p', how: 'drop' }, 1_000, 5_000);
    story.fault({ kind: 'kill', nodes: ['c'] }, 6_000, 7_000, ['c']);
    expect(timelineOf(story).bands).toMatchObject([
      { from: 1_000, to: 5_000, label: 'p2p cut', nodes: ['b'] },
      { from: 6_000, to: 7_000, label: 'kill', nodes: ['c'] },
    ]);
  });

  it('keeps what a lane says now, however often it has changed', () => {
    const drawn = new TimelineOf(NODES);
    for (let at = 0; at < 50_000; at += 1) drawn.take({ type: 'root', at, node: 'a', root: at.toString(16) });
    const roots = drawn.timeline().lanes[0]?.roots ?? [];
    expect(roots.length).toBeLessThanOrEqual(20_001);
    expect(valueAt(roots, 49_999)).toBe((49_999).toString(16));
    expect(valueAt(roots, 20_000)).not.toBeNull();
  });
});
