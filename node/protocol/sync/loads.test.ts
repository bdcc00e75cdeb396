import { Loads, type Load, type SizeDoubt } from './loads.ts';
import { PUSH_BYTES_MAX } from './messages.ts';

const LIMIT = 65_536;
const RECORD = 300;

describe('the load of a message', () => {
  it('is halved until it passes a proxy that refuses, told once, and is held for a minute', () => {
    const way = new Way((load) => (load.bytes > LIMIT ? 'refused' : 'passed'));
    way.pushFor(10_000);
    expect(way.loads.push).toBe(65_400);
    expect(way.told).toEqual([{ bytes: expect.any(Number), isRecord: false }]);
    expect(way.failures).toBe(3);
    way.pushFor(45_000);
    expect(way.failures).toBe(3);
    // Tried once more after a minute, then after two.
    way.pushFor(120_000);
    expect(way.failures).toBe(4);
    way.pushFor(20_000);
    expect(way.failures).toBe(5);
    expect(way.told).toHaveLength(1);
  });

  it('finds its way where connections are cut, and does not run into the same cut with every second message', () => {
    const way = new Way((load) => (load.bytes > LIMIT ? 'cut' : 'passed'));
    way.pushFor(50_000);
    expect(way.loads.push).toBeLessThanOrEqual(LIMIT);
    expect(way.failures).toBeLessThanOrEqual(5);
  });

  it('is what it was soon after a proxy takes all again', () => {
    let limit = LIMIT;
    const way = new Way((load) => (load.bytes > limit ? 'refused' : 'passed'));
    way.pushFor(5_000);
    limit = Infinity;
    way.pushFor(65_000);
    expect(way.loads.push).toBe(PUSH_BYTES_MAX);
  });

  it('leaves out a record that alone is refused, and tries it again a minute later', () => {
    const loads = new Loads();
    const sent = { bytes: 60_000, records: 1 };
    expect(loads.failed(sent, 'refused', 0)).toEqual({ bytes: 60_000, isRecord: true });
    expect([loads.mayCarry(60_000), loads.mayCarry(59_999)]).toEqual([false, true]);
    loads.passed({ bytes: 300, records: 1 }, 0, 30_000);
    expect(loads.mayCarry(60_000)).toBe(false);
    loads.passed({ bytes: 300, records: 1 }, 0, 61_000);
    expect(loads.mayCarry(60_000)).toBe(true);
  });

  it('takes no single record for too large because a lung was cut, nor after it came back', () => {
    const loads = new Loads();
    const sent = { bytes: 60_000, records: 1 };
    for (const now of [0, 100, 200, 300]) expect(loads.failed(sent, 'cut', now)).toBeNull();
    expect(loads.mayCarry(60_000)).toBe(true);
    expect(loads.failed(sent, 'cut', 5_000)).toEqual({ bytes: 60_000, isRecord: true });
    loads.renew();
    expect(loads.mayCarry(60_000)).toBe(true);
  });

  it('asks for less at a time on a slow line, never for less than any line carries, and for more with each page that came', () => {
    const loads = new Loads();
    for (let n = 0; n < 10; n += 1) loads.failed({ bytes: 0, records: 0 }, null, n);
    expect(loads.pull).toBe(65_536);
    loads.passed({ bytes: 0, records: 0 }, 1_000, 100);
    expect(loads.pull).toBe(65_536);
    loads.passed({ bytes: 0, records: 0 }, 60_000, 100);
    expect(loads.pull).toBe(131_072);
  });
});

/** One member and endless records for it, a message every 100 ms. */
class Way {
  readonly loads = new Loads();
  readonly told: object[] = [];
  failures = 0;
  readonly #fate: (load: Load) => 'passed' | Exclude<SizeDoubt, null>;
  #now = 0;

  constructor(fate: (load: Load) => 'passed' | Exclude<SizeDoubt, null>) {
    this.#fate = fate;
  }

  pushFor(ms: number): void {
    for (const end = this.#now + ms; this.#now < end; this.#now += 100) {
      const records = Math.max(1, Math.floor(this.loads.push / RECORD));
      const load = { records, bytes: records * RECORD };
      const fate = this.#fate(load);
      if (fate === 'passed') {
        this.loads.passed(load, 0, this.#now);
        continue;
      }
      this.failures += 1;
      const limited = this.loads.failed(load, fate, this.#now);
      if (limited !== null) this.told.push(limited);
    }
  }
}
