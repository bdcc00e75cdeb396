import { isolate } from './partition.ts';
import { FaultSpec, struckBy } from './spec.ts';

const PARTITION = {
  kind: 'partition',
  grudges: isolate(['node1', 'node2'], 'node1'),
  scope: 'p2p',
  how: 'drop',
};

describe('a fault as data', () => {
  it('comes back as it was from a file', () => {
    const spec = FaultSpec.parse(PARTITION);
    expect(FaultSpec.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
  });

  it.each([
    ['an unknown kind', { kind: 'earthquake', nodes: ['node1'] }],
    ['a field too many', { kind: 'kill', nodes: ['node1'], hard: true }],
    ['nobody to strike', { kind: 'kill', nodes: [] }],
    ['a node twice', { kind: 'kill', nodes: ['node1', 'node1'] }],
    ['a name with something behind it', { kind: 'kill', nodes: ['node1; reboot'] }],
    ['a loss of everything', { kind: 'loss', nodes: ['node1'], percent: 100, scope: 'both' }],
    ['an unknown scope', { ...PARTITION, scope: 'smtp' }],
  ])('refuses %s', (_, spec) => {
    expect(FaultSpec.safeParse(spec).success).toBe(false);
  });

  it('names everybody whom it strikes', () => {
    expect(struckBy(FaultSpec.parse(PARTITION))).toEqual(['node1', 'node2']);
    expect(struckBy({ kind: 'kill', nodes: ['node3'] })).toEqual(['node3']);
    expect(struckBy({ kind: 'scale', to: 3 })).toEqual([]);
  });
});
