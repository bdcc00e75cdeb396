import type { Clock, Lung, LungEffect, LungSink } from '../ports.ts';
import { RevivingLung } from './reviving-lung.ts';

class FailingLung implements Lung {
  readonly name = 'p2p';
  readonly addresses: string[] = [];
  readonly performed: LungEffect[] = [];
  isStopped = false;
  readonly #failure: Error | null;

  constructor(failure: Error | null) {
    this.#failure = failure;
  }

  async start(_sink: LungSink): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
  }

  perform(effect: LungEffect): void {
    this.performed.push(effect);
  }

  addAddress(address: string): void {
    this.addresses.push(address);
  }
}

describe('a reviving lung', () => {
  it('fails as its lung fails, then tries a new one until it works, with every address it was told', async () => {
    const { clock, fire } = manualClock();
    const taken = new Error('EADDRINUSE');
    const lungs = [new FailingLung(taken), new FailingLung(taken), new FailingLung(null)];
    const tries: (Error | null)[] = [];
    let made = 0;
    const reviving = new RevivingLung(
      { make: () => lungs[made++] ?? new FailingLung(null), clock, revived: (error) => tries.push(error) },
      { name: 'p2p', retryMs: 5_000 },
    );
    reviving.addAddress('/ip4/127.0.0.1/tcp/1');
    await expect(reviving.start(() => {})).rejects.toBe(taken);
    expect(reviving.isStarted).toBe(false);

    expect(await fire()).toEqual([5_000]);
    expect(tries).toEqual([taken]);
    expect(await fire()).toEqual([5_000]);
    expect(tries).toEqual([taken, null]);
    expect(reviving.isStarted).toBe(true);
    expect(reviving.current).toBe(lungs[2]);
    expect(lungs.map(({ isStopped }) => isStopped)).toEqual([true, true, false]);
    expect(lungs.map(({ addresses }) => addresses)).toEqual(lungs.map(() => ['/ip4/127.0.0.1/tcp/1']));
    reviving.perform({ type: 'publish', bytes: new Uint8Array(1) });
    expect(lungs[2]?.performed).toHaveLength(1);
    expect(await fire()).toEqual([]);
  });

  it('tries no more once it is stopped', async () => {
    const { clock, fire } = manualClock();
    let made = 0;
    const make = (): Lung => {
      made += 1;
      return new FailingLung(new Error('no'));
    };
    const reviving = new RevivingLung({ make, clock, revived: () => {} }, { name: 'p2p', retryMs: 10 });
    await expect(reviving.start(() => {})).rejects.toThrow('no');
    await reviving.stop();
    expect(await fire()).toEqual([]);
    expect(made).toBe(1);
  });
});

/** Timers run when told to. */
function manualClock(): { readonly clock: Clock; readonly fire: () => Promise<readonly number[]> } {
  let pending: { ms: number; run: () => void }[] = [];
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    after: (ms, run) => {
      const timer = { ms, run };
      pending.push(timer);
      return () => {
        pending = pending.filter((one) => one !== timer);
      };
    },
  };
  const fire = async (): Promise<readonly number[]> => {
    const due = pending;
    pending = [];
    for (const { run } of due) run();
    await new Promise(setImmediate);
    return due.map(({ ms }) => ms);
  };
  return { clock, fire };
}
