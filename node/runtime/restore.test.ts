import { MemoryStorage } from '../storage/memory-storage.ts';
import type { Clock } from '../ports.ts';
import { Core } from '../protocol/core.ts';
import { CORE_DEFAULTS } from '../protocol/defaults.ts';
import { keptForm } from '../protocol/state/kept-record.ts';
import { TEST_SALT, testIdentity, testRecord } from '../protocol/state/test-records.ts';
import { restore } from './restore.ts';

const RECORDS = 3_000;
const ada = testIdentity(1);
const options = { stateDir: '/nowhere', isAlone: true };

describe('a restore', () => {
  it('gives the event loop its turns while many records come back, and brings back all of them', async () => {
    const storage = await storageWith(RECORDS);
    let turns = 0;
    const turn = async (): Promise<void> => void (turns += 1);
    const { core } = await restore({ storage, newCore, clock: clockOf(25), turn }, options);
    expect(turns).toBeGreaterThan(5);
    const { meta, records } = storage.load();
    const atOnce = newCore();
    atOnce.load(
      meta,
      Array.from(records, ({ slot }) => ({ slot, bytes: recordOf(slot).bytes })),
      0,
    );
    expect(core.replica.recordCount()).toBe(RECORDS);
    expect(core.replica.root()).toBe(atOnce.replica.root());
  });

  it('waits for no turn where it takes no time', async () => {
    const turn = async (): Promise<void> => expect('a turn').toBe('none');
    const storage = await storageWith(RECORDS);
    await restore({ storage, newCore, clock: clockOf(0), turn }, options);
  });
});

async function storageWith(count: number): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const put = Array.from({ length: count }, (_, n) => ({ slot: n + 1, bytes: keptForm(recordOf(n + 1)) }));
  await storage.commit({
    put,
    remove: [],
    meta: { sequence: count, wallMs: 0, counter: 0, knowledge: null },
  });
  return storage;
}

function recordOf(n: number) {
  return testRecord({ author: ada, key: `k${n}`, sequence: n });
}

function newCore(): Core {
  return new Core(
    { self: ada.id, sign: (bytes) => ada.sign(bytes), rng: () => 0.5, sketchSalt: TEST_SALT },
    CORE_DEFAULTS,
  );
}

/** Every look at it takes so long. */
function clockOf(stepMs: number): Clock {
  let now = 0;
  return { wallMs: () => 0, monotonicMs: () => (now += stepMs), after: () => () => undefined };
}
