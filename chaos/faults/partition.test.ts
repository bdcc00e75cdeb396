import fc from 'fast-check';
import {
  bridge,
  deafen,
  halves,
  holdsGrudge,
  isCut,
  isMutual,
  isolate,
  majoritiesRing,
  minorityThird,
  split,
} from './partition.ts';
import type { Grudges } from './spec.ts';

const clusterOf = (minLength: number) =>
  fc.uniqueArray(fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,8}$/), { minLength, maxLength: 9 });

/** Each looks at every pair of up to nine nodes. */
const RUNS = { numRuns: 40 };

function forEveryVictim(claim: (nodes: readonly string[], victim: string) => void, minLength = 2): void {
  fc.assert(
    fc.property(clusterOf(minLength), fc.nat(), (nodes, number) =>
      claim(nodes, nodes[number % nodes.length] ?? ''),
    ),
    RUNS,
  );
}

function forEveryCluster(minLength: number, claim: (nodes: readonly string[]) => void): void {
  fc.assert(fc.property(clusterOf(minLength), claim), RUNS);
}

function pairsOf(nodes: readonly string[]): readonly (readonly [string, string])[] {
  return nodes.flatMap((a) => nodes.filter((b) => b !== a).map((b) => [a, b] as const));
}

/** those whom this one hears both ways, itself among them */
function circleOf(nodes: readonly string[], grudges: Grudges, node: string): readonly string[] {
  return nodes.filter((other) => other === node || !isCut(grudges, node, other));
}

function expectSymmetric(nodes: readonly string[], grudges: Grudges): void {
  for (const [a, b] of pairsOf(nodes)) expect(holdsGrudge(grudges, a, b)).toBe(holdsGrudge(grudges, b, a));
}

describe('every partition', () => {
  it('names every node, and gives nobody a grudge against itself', () => {
    forEveryVictim((nodes, victim) => {
      const all = [isolate(nodes, victim), deafen(nodes, victim), halves(nodes), bridge(nodes, victim)];
      for (const grudges of [...all, minorityThird(nodes), majoritiesRing(nodes)]) {
        expect(Object.keys(grudges).toSorted()).toEqual(nodes.toSorted());
        for (const node of nodes) expect(holdsGrudge(grudges, node, node)).toBe(false);
      }
    }, 4);
  });

  it('survives being written down and read again', () => {
    forEveryVictim((nodes, victim) => {
      const grudges = isolate(nodes, victim);
      expect(JSON.parse(JSON.stringify(grudges))).toEqual(grudges);
    });
  });
});

describe('deafen', () => {
  it('makes the victim drop what it is sent, and nobody else', () => {
    forEveryVictim((nodes, victim) => {
      const grudges = deafen(nodes, victim);
      for (const [a, b] of pairsOf(nodes)) {
        expect(holdsGrudge(grudges, a, b)).toBe(a === victim);
        expect(isCut(grudges, a, b)).toBe(a === victim || b === victim);
      }
    });
  });
});

describe('isolate', () => {
  it('cuts exactly the pairs of the victim, at both ends', () => {
    forEveryVictim((nodes, victim) => {
      const grudges = isolate(nodes, victim);
      for (const [a, b] of pairsOf(nodes)) expect(isCut(grudges, a, b)).toBe(a === victim || b === victim);
      expectSymmetric(nodes, grudges);
    });
  });

  it('is mutual, and deafness is not', () => {
    forEveryVictim((nodes, victim) => {
      expect(isMutual(isolate(nodes, victim))).toBe(true);
      expect(isMutual(deafen(nodes, victim))).toBe(false);
    });
  });

  it('refuses a victim that is not there', () => {
    expect(() => isolate(['a', 'b'], 'c')).toThrow(RangeError);
  });
});

describe('split', () => {
  it('lets a group hear itself and nobody else, and who is in none hear nobody', () => {
    fc.assert(
      fc.property(clusterOf(2), fc.array(fc.nat(3), { minLength: 9, maxLength: 9 }), (nodes, numbers) => {
        const groupOf = (node: string): number => numbers[nodes.indexOf(node)] ?? 0;
        // Those with number 0 are in no group.
        const groups = [1, 2, 3].map((group) => nodes.filter((node) => groupOf(node) === group));
        const grudges = split(nodes, groups);
        for (const [a, b] of pairsOf(nodes))
          expect(isCut(grudges, a, b)).toBe(groupOf(a) === 0 || groupOf(a) !== groupOf(b));
        expectSymmetric(nodes, grudges);
      }),
    );
  });
});

describe('halves and a minority of a third', () => {
  it('leave two circles that together are everybody', () => {
    forEveryCluster(2, (nodes) => {
      for (const grudges of [halves(nodes), minorityThird(nodes)]) {
        const circles = new Set(nodes.map((node) => circleOf(nodes, grudges, node).join(' ')));
        expect(circles.size).toBe(2);
        expectSymmetric(nodes, grudges);
      }
    });
  });

  it('are as large as they say', () => {
    forEveryCluster(3, (nodes) => {
      const [first = ''] = nodes;
      expect(circleOf(nodes, halves(nodes), first)).toHaveLength(Math.floor(nodes.length / 2));
      expect(circleOf(nodes, minorityThird(nodes), first)).toHaveLength(Math.floor(nodes.length / 3));
    });
  });
});

describe('a ring of majorities', () => {
  it('lets everybody hear a majority, and no two the same one', () => {
    forEveryCluster(4, (nodes) => {
      const grudges = majoritiesRing(nodes);
      const circles = nodes.map((node) => circleOf(nodes, grudges, node));
      for (const circle of circles) {
        expect(circle.length).toBeGreaterThan(nodes.length / 2);
        expect(circle.length).toBeLessThan(nodes.length);
      }
      expect(new Set(circles.map((circle) => circle.join(' '))).size).toBe(nodes.length);
      expectSymmetric(nodes, grudges);
    });
  });

  it('needs four nodes', () => {
    expect(() => majoritiesRing(['a', 'b', 'c'])).toThrow(RangeError);
  });
});

describe('a bridge', () => {
  it('is heard by all, and is the only one that both halves hear', () => {
    forEveryVictim((nodes, between) => {
      const grudges = bridge(nodes, between);
      for (const node of nodes.filter((name) => name !== between)) {
        expect(isCut(grudges, node, between)).toBe(false);
        expect(circleOf(nodes, grudges, node).length).toBeLessThan(nodes.length);
      }
      expectSymmetric(nodes, grudges);
    }, 3);
  });
});
