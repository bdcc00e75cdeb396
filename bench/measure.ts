/**
 * How things are timed so that peers on a shared, noisy machine are treated alike: everybody takes turns in short
 * rounds, so that a slow second hits all, and the median round counts.
 */

/** Milliseconds that each contender takes for one round. */
export type Round = () => number | Promise<number>;

/**
 * @param contenders by name; each call does one round and says how long the part that counts took
 * @returns the median per contender
 */
export async function takeTurns<Name extends string>(
  contenders: Readonly<Record<Name, Round>>,
  rounds: number,
): Promise<Readonly<Record<Name, number>>> {
  const turns = Object.entries<Round>(contenders);
  const times = new Map(turns.map(([name]) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of turns) {
      // Turns are the point: one after the other.
      // oxlint-disable-next-line no-await-in-loop
      times.get(name)?.push(await run());
    }
  }
  return Object.fromEntries([...times].map(([name, list]) => [name, median(list)])) as Record<Name, number>;
}

export async function timed(run: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new RangeError('the median of nothing');
  return (lower + upper) / 2;
}
