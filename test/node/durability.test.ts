/** P1: an acknowledged write survives SIGKILL at any instant. Longer: `npm run test:kill -- --rounds 200`. */
import { dirname } from 'node:path';
import { canonicalOf } from '../../node/protocol/state/kept-record.ts';
import { decodeRecord, signRecord } from '../../node/protocol/state/record.ts';
import { loadOrCreateIdentity } from '../../node/storage/identity.ts';
import { LmdbStorage } from '../../node/storage/lmdb-storage.ts';
import { killRounds } from './kill-rounds.ts';

const ROUNDS = 20;
/** Another one each day, and the same one all day: what failed can be run again. */
const SEED = Math.floor(Date.now() / 86_400_000);

describe('a node that is killed', () => {
  it(
    `has every acknowledged write, whole batches and nothing that was not sent, ${ROUNDS} kills long (seed ${SEED})`,
    async () => {
      const report = await killRounds({ rounds: ROUNDS, seed: SEED, progress: () => undefined });
      expect(report.violations).toEqual([]);
      expect(report.kills).toBe(ROUNDS);
      expect(report.acknowledged).toBeGreaterThan(ROUNDS);
      // The kills must have met writes between accept and reply, or the test has seen nothing.
      expect(report.interrupted).toBeGreaterThan(0);
    },
    60_000 + ROUNDS * 10_000,
  );

  it('is found out when it loses one acknowledged write', async () => {
    const loseOne = async (storeDir: string): Promise<void> => {
      const storage = await LmdbStorage.open(storeDir);
      const { meta, records } = storage.load();
      const [first] = records;
      if (meta === null || first === undefined) throw new Error('an empty store after a round');
      await storage.commit({ put: [], remove: [first.slot], meta });
      await storage.close();
    };
    const report = await killRounds({ rounds: 2, seed: SEED, progress: () => undefined, whileDead: loseOne });
    expect(report.violations.length).toBeGreaterThan(0);
  }, 60_000);

  it('is found out when it uses a sequence twice', async () => {
    const useTwice = async (storeDir: string): Promise<void> => {
      const identity = await loadOrCreateIdentity(dirname(storeDir));
      const storage = await LmdbStorage.open(storeDir);
      const { meta, records } = storage.load();
      const [first] = records;
      if (meta === null || first === undefined) throw new Error('an empty store after a round');
      const twin = signRecord({ ...decodeRecord(canonicalOf(first.bytes)), value: '-1' }, (bytes) =>
        identity.sign(bytes),
      );
      await storage.commit({ put: [{ slot: first.slot, bytes: twin.bytes }], remove: [], meta });
      await storage.close();
    };
    const report = await killRounds({
      rounds: 1,
      seed: SEED,
      progress: () => undefined,
      whileDead: useTwice,
    });
    expect(report.violations.join('\n')).toMatch(/sequence \d+ is used twice/);
  }, 60_000);
});
