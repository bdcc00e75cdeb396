import { replicaNumber } from './replica-number.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  '172.18.0.4': ['aethel-node-3.aethel_lattice'],
  '172.18.0.5': ['aethel_node_12.aethel_lattice'],
  '172.18.0.6': ['aethel-node-run-4f1c.aethel_lattice', 'web-7.aethel_lattice'],
  '172.18.0.7': ['aethel-node-0.aethel_lattice', 'node.aethel_lattice', ''],
};

it.each([
  [['127.0.0.1', '::1', '172.18.0.4'], 3],
  [['172.18.0.5'], 12],
  [['172.18.0.6'], null],
  [['172.18.0.7'], null],
  [['10.0.0.1'], null],
  [[], null],
])('of %j is %j', async (addresses, number) => {
  const namesOf = async (address: string): Promise<readonly string[]> => {
    const names = NAMES[address];
    if (names === undefined) throw new Error(`ENOTFOUND ${address}`);
    return names;
  };
  expect(await replicaNumber({ namesOf, addresses }, 'node')).toBe(number);
});

it('is unknown where the resolver hangs', async () => {
  const namesOf = (): Promise<readonly string[]> => new Promise(() => undefined);
  expect(await replicaNumber({ namesOf, addresses: ['172.18.0.4'] }, 'node')).toBeNull();
});
