/** Whom `w=` counts: silence in waking time, kept over restarts, whatever clocks say. */
import { nodeIdOf, type NodeId } from '../ids.ts';
import { Members, MEMBERS_MAX, type MembersOptions } from './members.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const options: MembersOptions = { absenceMs: 10 * MINUTE_MS, graceMs: 7 * DAY_MS };
const [ada, ben] = [memberNumber(65_000), memberNumber(65_001)];

describe('members', () => {
  it('count from the moment in which they are met, and the store must know before anybody is told', () => {
    const node = awake(options);
    node.members.heard(ada, 5);
    expect(node.members.counting).toBe(1);
    expect(node.members.takeDue()).toBe(true);
    expect(node.members.takeDue()).toBe(false);
    node.members.heard(ada, 6);
    expect(node.members.takeDue()).toBe(false);
  });

  it('stop counting when they were silent for the absence time, not before, and count again when they are heard', () => {
    const node = awake(options);
    node.members.heard(ada, 5);
    node.pass(DAY_MS, () => node.members.heard(ada, 6));
    node.members.heard(ben, 5);
    node.members.takeChanges();
    node.pass(options.absenceMs - 2_000, () => node.members.heard(ben, 6));
    expect(node.members.counting).toBe(2);
    const toldBefore = node.told;
    node.pass(4_000, () => node.members.heard(ben, 6));
    expect(node.members.takeChanges()).toEqual([{ id: ada, counts: false }]);
    expect(node.told).toBeGreaterThan(toldBefore);
    node.members.heard(ada, 7);
    expect(node.members.takeDue()).toBe(true);
    expect(node.members.takeChanges()).toEqual([{ id: ada, counts: true }]);
    expect(node.members.counting).toBe(2);
  });

  it('are as absent after a restart as before it, to within what a restart may forget', () => {
    let node = awake(options);
    node.members.heard(ada, 5);
    for (let i = 0; i < 20; i += 1) {
      node.pass(2 * MINUTE_MS);
      node = restarted(node.stored(), options);
    }
    expect(node.members.counting).toBe(0);
    node = restarted(node.stored(), options);
    expect(node.members.counting).toBe(0);
  });

  it('are written down once a minute at most while somebody is silent, and not at all while all are heard', () => {
    const node = awake({ ...options, absenceMs: 7 * DAY_MS });
    node.members.heard(ada, 5);
    node.members.heard(ben, 5);
    node.members.takeDue();
    node.pass(HOUR_MS, () => [ada, ben].forEach((id) => node.members.heard(id, 6)));
    expect(node.told).toBe(0);
    node.pass(HOUR_MS, () => node.members.heard(ben, 6));
    expect(node.told).toBeGreaterThan(50);
    expect(node.told).toBeLessThanOrEqual(60);
  });

  it('are not absent because the node was frozen, or off, or its clock was set', () => {
    let node = awake(options);
    node.members.heard(ada, 5);
    node.now += 30 * DAY_MS;
    node.pass(1_000);
    expect(node.members.counting).toBe(1);
    node = restarted(node.stored(), options);
    node.members.heard(ben, 5 + 300 * DAY_MS);
    node.pass(1_000);
    expect(node.members.counting).toBe(2);
  });

  it('hold back tombstones by the grace time, however short the absence time is', () => {
    const node = awake(options);
    node.members.heard(ada, 5);
    node.pass(2 * HOUR_MS);
    expect(node.members.counting).toBe(0);
    expect([...node.members.graced()]).toEqual([ada]);
    node.pass(7 * DAY_MS);
    expect([...node.members.graced()]).toEqual([]);
  });

  it('are remembered up to a limit, which no member that counts has to make room for', () => {
    const members = new Members(options);
    const known = Array.from({ length: MEMBERS_MAX }, (_, i) => ({
      id: memberNumber(i),
      silentMs: i === 7 ? DAY_MS : 0,
      heardAtMs: 1,
    }));
    members.load(known);
    members.advance(0);
    members.heard(ada, 5);
    expect(members.size).toBe(MEMBERS_MAX);
    expect(members.counting).toBe(MEMBERS_MAX);
    members.heard(ben, 5);
    expect([...members.known()].map(({ id }) => id)).not.toContain(ben);
  });
});

interface Awake {
  readonly members: Members;
  now: number;
  /** how often the store had to be told */
  told: number;
  /** what the store was told last */
  stored(): ReturnType<Members['known']>;
  /** time in steps of half a second, as heartbeats make them */
  pass(ms: number, each?: () => unknown): void;
}

function awake(of: MembersOptions, members = new Members(of)): Awake {
  members.advance(0);
  let kept = [...members.known()];
  const note = (node: Awake): void => {
    if (!members.takeDue()) return;
    node.told += 1;
    kept = [...members.known()];
  };
  return {
    members,
    now: 0,
    told: 0,
    *stored() {
      note(this);
      yield* kept;
    },
    pass(ms, each) {
      for (const end = this.now + ms; this.now < end;) {
        this.now += 500;
        members.advance(this.now);
        each?.();
        members.sweep();
        note(this);
      }
    },
  };
}

function restarted(kept: ReturnType<Members['known']>, of: MembersOptions): Awake {
  const members = new Members(of);
  members.load(kept);
  return awake(of, members);
}

function memberNumber(i: number): NodeId {
  return nodeIdOf(Buffer.alloc(32, Buffer.from([1, i >> 8, i & 0xff, 0])));
}
