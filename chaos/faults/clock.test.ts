import { faketime, wrongClock } from './clock.ts';
import type { ClockNode } from './clock.ts';

describe('the line that libfaketime reads', () => {
  it.each([
    ['nothing', 0, 0, 60_000, '+0.000 x1.000000'],
    ['a jump ahead', 20_000, 0, 60_000, '+20.000 x1.000000'],
    ['a jump back', -1_500, 0, 60_000, '-1.500 x1.000000'],
    ['a drift that begins now, not at the start of the process', 0, 0.05, 60_000, '-3.000 x1.050000'],
    ['both', 10_000, -0.05, 60_000, '+13.000 x0.950000'],
  ])('says %s', (_, jumpMs, drift, ageMs, line) => {
    expect(faketime(jumpMs, drift, ageMs)).toBe(line);
  });
});

describe('a wrong clock', () => {
  const spec = { kind: 'clock', nodes: ['node1'], jumpMs: 20_000, driftPpm: 0 } as const;

  it('is proven by what the node says of its time, and so is its end', async () => {
    const node = new FakeClock();
    const fault = wrongClock(spec, node);
    await fault.inject();
    expect(await fault.evidence()).toMatchObject({ ok: true });
    expect(await fault.heal()).toMatchObject({ ok: true });
    expect(await fault.evidence()).toMatchObject({ ok: false });
  });

  it('is not proven by a node that does not say, nor by one that is right', async () => {
    const node = new FakeClock();
    const fault = wrongClock(spec, node);
    await fault.inject();
    node.isMute = true;
    expect(await fault.evidence()).toMatchObject({ ok: false });
    node.isMute = false;
    await node.setClock('+0.000 x1');
    expect(await fault.evidence()).toMatchObject({ ok: false });
  });
});

class FakeClock implements ClockNode {
  readonly name = 'node1';
  readonly launchedAt = Date.now();
  isMute = false;
  #offMs = 0;

  async setClock(text: string): Promise<void> {
    this.#offMs = Number(text.split(' ')[0]) * 1000;
  }

  async time(): Promise<number | null> {
    return this.isMute ? null : Date.now() + this.#offMs;
  }
}
