import type { NodeId } from '../ids.ts';
import { Detector } from './detector.ts';

const PEER = 'peer' as NodeId;
const OPTIONS = {
  suspicionMs: 1_000,
  suspectMs: 600,
  restingSuspectMs: 700,
  httpFreshMs: 3_000,
  httpWarmMs: 25_000,
  attentiveStepMs: 400,
};

describe('the detector over P2P', () => {
  it('knows nothing of a peer that was never heard', () => {
    const detector = new Detector(OPTIONS);
    expect(detector.health(PEER, 'p2p').state).toBe('unknown');
    expect(detector.reached('p2p')).toBe(0);
    expect(detector.sweep()).toEqual([]);
  });

  it('suspects after 600 ms of silence, and gives up after 1000 ms', () => {
    const detector = heardAt(0);
    const seen = silence(detector, 0, 1_200, 100);
    expect(seen.map(({ at, to }) => ({ at, to }))).toEqual([
      { at: 600, to: 'suspect' },
      { at: 1_000, to: 'dead' },
    ]);
    expect(detector.reached('p2p')).toBe(0);
  });

  it('counts a suspect as reached, and any word clears the suspicion', () => {
    const detector = heardAt(0);
    silence(detector, 0, 700, 100);
    expect(detector.reached('p2p')).toBe(1);
    expect(detector.heard(PEER, 'p2p', 750, 2)).toMatchObject({ from: 'suspect', to: 'alive' });
  });

  it('counts a member that was forgotten no more, and again once it is heard', () => {
    const detector = heardAt(0);
    detector.heard('other' as NodeId, 'p2p', 0, 1);
    detector.heard(PEER, 'http', 0, 1);
    detector.forget(PEER);
    expect([detector.reached('p2p'), detector.reached('http')]).toEqual([1, 0]);
    detector.forget(PEER);
    detector.heard(PEER, 'p2p', 10, 1);
    detector.heard(PEER, 'p2p', 20, 1);
    expect(detector.reached('p2p')).toBe(2);
  });

  it('waits four times as much longer as this process is slower than usual, and no longer than that lasts', () => {
    const detector = heardAt(0);
    detector.setSlowness(300);
    expect(silence(detector, 0, 2_300, 100)).toMatchObject([
      { at: 1_800, to: 'suspect' },
      { at: 2_200, to: 'dead' },
    ]);
    detector.heard(PEER, 'p2p', 2_300, null);
    expect(detector.nextDoubtMs).toBe(1_800);
    detector.setSlowness(0);
    expect(detector.nextDoubtMs).toBe(600);
  });

  it('does not accuse a peer of our own stall', () => {
    const detector = heardAt(0);
    detector.advance(5_000);
    expect(detector.sweep()).toEqual([]);
    detector.advance(5_100);
    expect(detector.sweep()).toEqual([]);
    expect(silence(detector, 5_100, 6_000, 100).map(({ to }) => to)).toEqual(['suspect', 'dead']);
  });

  it('counts the time that it meant to sleep, and not what came on top', () => {
    const detector = heardAt(0);
    detector.advance(500, 500);
    detector.heard(PEER, 'p2p', 500, null);
    detector.advance(1_000, 1_000);
    expect(detector.nextDoubtMs).toBe(OPTIONS.suspectMs - 500);
    detector.advance(9_000, 1_100);
    expect(detector.sweep().map(({ to }) => to)).toEqual(['suspect']);
    expect(silence(detector, 9_000, 9_300, 100).map(({ to }) => to)).toEqual(['dead']);
  });

  it('takes a closed connection for certain at once', () => {
    const detector = heardAt(0);
    expect(detector.lost(PEER, 'p2p', 'reset')).toMatchObject({ from: 'alive', to: 'dead', reason: 'reset' });
    expect(detector.lost(PEER, 'p2p', 'reset')).toBeNull();
  });
});

describe('the detector over HTTP', () => {
  it('keeps warm evidence for 25 s, and asks for fresh evidence where gossip does not reach', () => {
    const detector = new Detector(OPTIONS);
    detector.advance(0);
    detector.heard(PEER, 'http', 0, null);
    expect(silence(detector, 0, 10_000, 100)).toEqual([]);
    detector.setEager(PEER, true);
    expect(detector.sweep()).toMatchObject([{ lung: 'http', to: 'suspect' }]);
    expect(detector.reached('http')).toBe(0);
    expect(silence(detector, 10_000, 25_100, 100)).toMatchObject([{ to: 'dead' }]);
  });

  it('doubts a member that gossip does not reach as soon as a question has stayed without a word', () => {
    const detector = new Detector(OPTIONS);
    detector.advance(0);
    detector.heard(PEER, 'http', 0, 10);
    detector.setEager(PEER, true);
    detector.asked(PEER, 0);
    expect(silence(detector, 0, 300, 100)).toEqual([]);
    expect(detector.heard(PEER, 'http', 300, null)).toBeNull();
    expect(silence(detector, 300, 1_000, 100)).toEqual([]);
    detector.asked(PEER, 1_000);
    expect(silence(detector, 1_000, 3_000, 100)).toMatchObject([{ at: 2_400, to: 'suspect' }]);
    expect(detector.reached('http')).toBe(0);
  });

  it('counts from the oldest question without a word, and gives a far member three round trips', () => {
    const detector = new Detector(OPTIONS);
    detector.advance(0);
    detector.heard(PEER, 'http', 0, 300);
    detector.setEager(PEER, true);
    detector.asked(PEER, 0);
    detector.advance(100);
    detector.asked(PEER, 1_000);
    expect(silence(detector, 100, 2_000, 100)).toMatchObject([{ at: 900, to: 'suspect' }]);
  });

  it('gives a near member no more time because one answer took long', () => {
    const detector = new Detector(OPTIONS);
    detector.advance(0);
    detector.heard(PEER, 'http', 0, 4);
    detector.heard(PEER, 'http', 0, 700);
    expect(detector.health(PEER, 'http').rttMs).toBe(700);
    detector.setEager(PEER, true);
    detector.asked(PEER, 0);
    expect(silence(detector, 0, 2_000, 100)).toMatchObject([{ at: 400, to: 'suspect' }]);
  });

  it('asks no more of one that is only kept warm', () => {
    const detector = new Detector(OPTIONS);
    detector.advance(0);
    detector.heard(PEER, 'http', 0, null);
    detector.asked(PEER, 0);
    expect(silence(detector, 0, 2_000, 100)).toEqual([]);
  });

  it('counts a new neighbour that gossip has not reached only if it was heard of late', () => {
    const detector = new Detector(OPTIONS);
    detector.advance(0);
    detector.setWatched(PEER, false);
    detector.setPatience({ p2p: 60_000, http: 60_000 });
    detector.heard(PEER, 'p2p', 0, null);
    detector.heard(PEER, 'http', 0, null);
    silence(detector, 0, 12_000, 100);
    detector.setWatched(PEER, true);
    expect(detector.health(PEER, 'p2p').state).toBe('alive');
    expect(detector.reached('p2p')).toBe(0);
    expect(detector.reached('http')).toBe(0);
    detector.heard(PEER, 'http', 12_000, null);
    expect(detector.reached('http')).toBe(1);
    detector.heard(PEER, 'p2p', 12_000, null);
    silence(detector, 12_000, 12_500, 100);
    expect([detector.reached('p2p'), detector.reached('http')]).toEqual([1, 1]);
  });

  it('forgives one failed poll, not two', () => {
    const detector = new Detector(OPTIONS);
    detector.heard(PEER, 'http', 0, null);
    expect(detector.failed(PEER, 'http', 'timeout')).toBeNull();
    expect(detector.reached('http')).toBe(1);
    expect(detector.failed(PEER, 'http', 'timeout')).toMatchObject({ from: 'alive', to: 'dead' });
    expect(detector.heard(PEER, 'http', 10, null)).toMatchObject({ to: 'alive' });
    expect(detector.failed(PEER, 'http', 'timeout')).toBeNull();
  });
});

function heardAt(now: number): Detector {
  const detector = new Detector(OPTIONS);
  detector.advance(now);
  detector.heard(PEER, 'p2p', now, null);
  return detector;
}

/** Sweeps every `step` ms and hears nothing. */
function silence(detector: Detector, from: number, to: number, step: number) {
  const seen: { at: number; to: string }[] = [];
  for (let now = from + step; now <= to; now += step) {
    detector.advance(now);
    for (const transition of detector.sweep()) seen.push({ at: now, ...transition });
  }
  return seen;
}
