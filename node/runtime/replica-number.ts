/**
 * Which replica of its service this container is. Compose numbers them, `<project>-<service>-3`, and keeps the low numbers
 * when it scales down, but tells a container nothing of it. The engine's resolver does: it knows the name that belongs to
 * our own address.
 */
import { isIPv4 } from 'node:net';

export interface ReplicaNumberModules {
  /** names that belong to an IPv4 address, as the network's resolver has them; may hang, may fail */
  readonly namesOf: (address: string) => Promise<readonly string[]>;
  readonly addresses: readonly string[];
}

/** The engine's resolver answers in a millisecond or two; another one's answer is not worth waiting for. */
const BUDGET_MS = 300;

/** @returns the number, counted from 1, or null where nobody knows one */
export async function replicaNumber(
  { namesOf, addresses }: ReplicaNumberModules,
  service: string,
): Promise<number | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, BUDGET_MS, null);
  });
  const reachable = addresses.filter((address) => isIPv4(address) && !address.startsWith('127.'));
  const asked = reachable.map(async (address) => {
    const names = await namesOf(address).catch(() => []);
    return names.map((name) => numberIn(name, service)).find((number) => number !== null) ?? null;
  });
  const first = Promise.all(asked).then((numbers) => numbers.find((number) => number !== null) ?? null);
  try {
    return await Promise.race([first, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** `aethel-node-3.aethel_lattice` is 3 of the service `node`; so is `aethel_node_3`. */
function numberIn(name: string, service: string): number | null {
  const label = name.split('.')[0] ?? '';
  const match = /^(.*)[-_]([1-9]\d{0,3})$/.exec(label);
  const isOurs = match?.[1]?.endsWith(`-${service}`) === true || match?.[1]?.endsWith(`_${service}`) === true;
  return isOurs ? Number(match?.[2]) : null;
}
