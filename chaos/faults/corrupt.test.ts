import fc from 'fast-check';
import { corrupt, placeOf } from './corrupt.ts';
import type { Damage, StoreNode } from './corrupt.ts';

describe('the place of a damage', () => {
  it('lies behind the heads and within the file, and is the same for the same seed', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.integer({ min: 8_193, max: 2 ** 40 }), (seed, bytes) => {
        const { at, bit } = placeOf(seed, bytes);
        expect(at).toBeGreaterThanOrEqual(8_192);
        expect(at).toBeLessThan(bytes);
        expect(bit).toBeGreaterThanOrEqual(0);
        expect(bit).toBeLessThan(8);
        expect(placeOf(seed, bytes)).toEqual({ at, bit });
      }),
    );
  });
});

describe('a damaged store', () => {
  const DAMAGE: Damage = { bytes: 9_000, at: 8_500, before: 'aaaaaaaa', after: 'bbbbbbbb' };

  it('is given back to a node that refuses to start on it, and to no other', async () => {
    const node = new StubbornNode(DAMAGE);
    const fault = corrupt({ kind: 'corrupt', nodes: ['node1'], how: 'flipped', seed: 1 }, node);
    await fault.inject();
    expect(await fault.evidence()).toMatchObject({ ok: true });
    expect(node.restored).toBe(0);
    await fault.lift();
    expect(node.restored).toBe(1);
    expect(node.state).toBe('running');
  });

  it('is no evidence where the file is as it was', async () => {
    const node = new StubbornNode({ ...DAMAGE, after: DAMAGE.before });
    const fault = corrupt({ kind: 'corrupt', nodes: ['node1'], how: 'torn', seed: 1 }, node);
    await fault.inject();
    expect(await fault.evidence()).toMatchObject({ ok: false });
  });
});

/** Starts only on a store that is whole. */
class StubbornNode implements StoreNode {
  readonly name = 'node1';
  readonly url = 'http://127.0.0.1:1';
  state = 'running';
  restored = 0;
  readonly #damage: Damage;
  #isWhole = true;

  constructor(damage: Damage) {
    this.#damage = damage;
  }

  async kill(): Promise<number> {
    this.state = 'stopped';
    return 0;
  }

  async start(): Promise<void> {
    if (!this.#isWhole) throw new Error('its store is damaged');
    this.state = 'running';
  }

  async damageStore(): Promise<Damage> {
    this.#isWhole = false;
    return this.#damage;
  }

  async restoreStore(): Promise<void> {
    this.restored += 1;
    this.#isWhole = true;
  }
}
