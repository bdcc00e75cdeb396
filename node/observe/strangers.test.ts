import type { LatticeEvent } from '../protocol/events.ts';
import { Strangers } from './strangers.ts';

const REFUSED: LatticeEvent = {
  type: 'refused',
  peer: null,
  lung: 'p2p',
  what: 'peer',
  reason: 'a stranger',
};

it('speaks of who keeps trying, once in ten minutes', () => {
  const strangers = new Strangers();
  const said = [];
  for (let at = 0; at <= 1_300_000; at += 10_000) if (strangers.note(REFUSED, at)) said.push(at);
  expect(said).toEqual([20_000, 620_000, 1_220_000]);
});

it('does not speak of who tried twice, now and then, or of messages', () => {
  const strangers = new Strangers();
  const message: LatticeEvent = { ...REFUSED, what: 'message' };
  const said = [0, 1, 70_000, 140_000, 200_001].map((at) => strangers.note(REFUSED, at));
  expect([...said, ...[1, 2, 3, 4].map((at) => strangers.note(message, 300_000 + at))]).not.toContain(true);
});
