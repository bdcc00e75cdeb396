import { InTurns } from './in-turns.ts';

describe('tasks in turns', () => {
  it('run as many at once as may, in the order in which they came', async () => {
    const world = new World(2);
    world.asks('a', 'b', 'c', 'd');
    expect(world.begun).toEqual(['a', 'b']);
    await world.ends('b');
    expect(world.begun).toEqual(['a', 'b', 'c']);
    await world.ends('a');
    expect(world.begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('go on one by one when fewer may, and together when more may again', async () => {
    const world = new World(3);
    world.asks('a', 'b', 'c', 'd', 'e', 'f');
    world.atOnce = 1;
    await world.ends('a');
    await world.ends('b');
    expect(world.begun).toEqual(['a', 'b', 'c']);
    await world.ends('c');
    expect(world.begun).toEqual(['a', 'b', 'c', 'd']);
    world.atOnce = 3;
    await world.ends('d');
    expect(world.begun).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  it('let the next one go when one fails, and tell of the failure', async () => {
    const turns = new InTurns(() => 1);
    const failed = turns.run(async () => {
      throw new Error('broken');
    });
    const next = turns.run(async () => 'well');
    await expect(failed).rejects.toThrow('broken');
    expect(await next).toBe('well');
  });
});

class World {
  readonly begun: string[] = [];
  atOnce: number;
  readonly #turns = new InTurns(() => this.atOnce);
  readonly #ends = new Map<string, () => void>();

  constructor(atOnce: number) {
    this.atOnce = atOnce;
  }

  asks(...names: readonly string[]): void {
    for (const name of names) {
      void this.#turns.run(async () => {
        this.begun.push(name);
        await new Promise<void>((resolve) => this.#ends.set(name, resolve));
      });
    }
  }

  async ends(name: string): Promise<void> {
    this.#ends.get(name)?.();
    await new Promise(setImmediate);
  }
}
