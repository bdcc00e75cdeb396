/** A small seeded generator (sfc32), so that a seed names a whole run on every machine. @see PractRand, Chris Doty-Humphrey */
export type Rng = () => number;

/** @returns uniform numbers in [0, 1) */
export function rngOf(seed: number): Rng {
  let a = 0x9e37_79b9;
  let b = 0x243f_6a88;
  let c = seed >>> 0;
  let d = Math.floor(seed / 2 ** 32) >>> 0 || 1;
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 15; i += 1) next();
  return next;
}

/** @returns an integer from 0 to below `count` */
export function below(rng: Rng, count: number): number {
  return Math.floor(rng() * count);
}
