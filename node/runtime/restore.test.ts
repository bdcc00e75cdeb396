import { MemoryStorage } from '../storage/memory-storage.ts';
import type { Clock, Storage } from '../ports.ts';
import { Core } from '../protocol/core.ts';
import { CORE_DEFAULTS } from '../protocol/defaults.ts';
import { keptForm } from '../protocol/state/kept-record.ts';
import { TEST_SALT, testIdentity, testRecord } from '../protocol/state/test-records.ts';
import { encodeKnowledge } from '../protocol/state/knowledge.ts';
import { VersionVector } from '../protocol/state/version-vector.ts';
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

  it('remembers whom it met, and claims to have seen nothing, where the store lost a record', async () => {
    const storage = new MemoryStorage();
    const vector = new VersionVector();
    vector.add(recordOf(1).dot);
    const members = [{ id: testIdentity(2).id, silentMs: 7, heardAtMs: 8 }];
    const knowledge = encodeKnowledge({ vector, members });
    const meta = { sequence: 1, wallMs: 0, counter: 0, knowledge };
    await storage.commit({ put: [{ slot: 1, bytes: keptForm(recordOf(1)) }], remove: [], meta });
    const damaged: Storage = {
      load: (fault) => {
        fault?.({ slot: 1, records: 1, detail: 'a flipped bit', bytes: null });
        return { meta: storage.load().meta, records: [] };
      },
      commit: (batch) => storage.commit(batch),
      mend: () => storage.mend(),
      close: () => storage.close(),
    };
    const modules = { storage: damaged, newCore, clock: clockOf(0), turn: async () => undefined };
    const { core } = await restore(modules, { ...options, isAlone: false });
    expect(core.replica.vector.count).toBe(0);
    expect(core.members()).toMatchObject({ counted: 2, absent: [{ silentMs: 7, heardAtMs: 8 }] });
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
