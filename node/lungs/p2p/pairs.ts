/**
 * Who of a pair dials first where both are strained: two that dial each other at once pay for two handshakes and keep one. Both know both
 * places, the other's because they dial it and their own because they listen there, and nothing else of each other yet. A hash of the two
 * decides, so that everyone dials one half of the others and waits for the other half.
 *
 * Where a node is not seen at the place at which it listens (behind a translated address, a name) the two may disagree: then both dial at
 * once, as they would without this, or both wait out the head start.
 */
import { isLoopback } from './places.ts';

/**
 * @param own places at which this node listens
 * @returns whether the node at `place` is to dial this one rather than the other way round
 */
export function goesSecond(own: readonly string[], place: string): boolean {
  const [here, ...others] = own.filter((each) => isLoopback(each) === isLoopback(place));
  if (here === undefined || others.length > 0 || here === place) return false;
  const [lesser, greater] = here < place ? [here, place] : [place, here];
  const isLessers = hashOf(`${lesser} ${greater}`) % 2 === 0;
  return isLessers !== (here === lesser);
}

/** FNV-1a, and a finish that spreads the last characters over all bits (murmur3). */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
