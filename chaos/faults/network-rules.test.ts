import { poll } from '../cluster/poll.ts';
import { FaultError } from './fault.ts';
import { NetworkRules } from './network-rules.ts';
import type { Demand, RuledNode } from './network-rules.ts';
import type { Listing } from './nft.ts';
import type { Sidecar } from './sidecar.ts';

const GONE = 'the side container has gone';

/** A node whose namespace takes whatever it is told, until the node ends: then it answers no more. */
class FakeNode implements RuledNode {
  readonly name: string;
  address: string;
  state = 'running';
  /** what it has of the table; a new one counts from zero */
  listing: Listing | null = null;
  /** what was loaded */
  readonly taken: string[] = [];
  /** whom it dialled */
  readonly asked: string[] = [];
  /** done while the namespace is asked, before it answers */
  meanwhile: () => void = () => undefined;
  readonly #sidecar: Sidecar;

  constructor(number: number) {
    this.name = `node${number}`;
    this.address = `10.0.0.${number}`;
    const answer = async <T>(value: T): Promise<T> => {
      this.meanwhile();
      await Promise.resolve();
      if (this.state === 'stopped') throw new FaultError(GONE);
      return value;
    };
    const sidecar: Pick<Sidecar, 'load' | 'table' | 'probe'> = {
      load: async (ruleset) => {
        const at = await answer(1_000);
        this.taken.push(ruleset);
        this.listing = null;
        return at;
      },
      table: () => answer(this.listing),
      probe: async (targets) => {
        this.asked.push(...targets.map(({ host, port }) => `${host}:${port}`));
        return answer(targets.map(() => 'silent' as const));
      },
    };
    this.#sidecar = sidecar as Sidecar;
  }

  /** As of a node in a container: one that does not run has none. */
  get sidecar(): Sidecar {
    if (this.state === 'stopped') throw new Error(`${this.name} has no place: it does not run`);
    return this.#sidecar;
  }

  async inside(): Promise<string> {
    return '';
  }
}

/** Everybody drops what comes from the first node. */
const demand: Demand = {
  blockOf: ({ name }, [first]) =>
    first === undefined || first.name === name
      ? null
      : { kind: 'pairs', how: 'drop', pairs: [{ peer: first.address, port: 9_000 }] },
  reachOf: () => null,
};

function cluster(renewEveryMs?: number) {
  const nodes = [1, 2, 3, 4].map((number) => new FakeNode(number));
  const [, second, third, fourth] = nodes;
  if (second === undefined || third === undefined || fourth === undefined) throw new Error('no nodes');
  return { rules: new NetworkRules(() => nodes, renewEveryMs), nodes, second, third, fourth };
}

describe('rules whose node ends while they are asked about', () => {
  it('are in force on the others', async () => {
    const { rules, third, fourth } = cluster();
    third.meanwhile = () => (third.state = 'stopped');
    await expect(rules.enforce(demand)).resolves.toEqual({ beganAt: 1_000, completeAt: 1_000 });
    expect(fourth.taken).toHaveLength(1);
    rules.close();
  });

  it('are read of the others', async () => {
    const { rules, third } = cluster();
    await rules.enforce(demand);
    third.meanwhile = () => (third.state = 'stopped');
    expect((await rules.read(demand)).map(({ node }) => node.name)).toEqual(['node2', 'node4']);
    rules.close();
  });

  it('are gone with it', async () => {
    const { rules, third, fourth } = cluster();
    await rules.enforce(demand);
    third.meanwhile = () => (third.state = 'stopped');
    await expect(rules.withdraw(demand)).resolves.toBe(1_000);
    expect(fourth.taken).toHaveLength(2);
    expect(await rules.read(demand)).toEqual([]);
  });

  it('are asserted anew on the one that comes meanwhile', async () => {
    const { rules, second, third } = cluster();
    await rules.enforce(demand);
    third.meanwhile = () => (third.state = 'stopped');
    await rules.reassert('node2', Date.now());
    expect(second.taken).toHaveLength(2);
    rules.close();
  });

  it('are read when whoever comes meanwhile has them too', async () => {
    const { rules, third, fourth } = cluster();
    third.state = 'stopped';
    await rules.enforce(demand);
    const coming: Promise<void>[] = [];
    // The second is under way, and somebody waits to read, when the third comes.
    fourth.meanwhile = () => {
      if (third.state === 'running') return;
      third.state = 'running';
      coming.push(rules.reassert('node3', Date.now()));
    };
    coming.push(rules.reassert('node2', Date.now()));
    const standings = await rules.read(demand);
    expect(standings.map(({ node, rendered }) => [node.name, rendered !== null])).toEqual([
      ['node2', true],
      ['node3', true],
      ['node4', true],
    ]);
    await Promise.all(coming);
    rules.close();
  });

  it('keep their lease on the others', async () => {
    const { rules, second, third, fourth } = cluster(10);
    await rules.enforce(demand);
    second.meanwhile = () => (third.state = 'stopped');
    const renewed = await poll(async () => (fourth.taken.length > 2 ? true : null), {
      everyMs: 10,
      budgetMs: 5_000,
    });
    rules.close();
    expect(renewed).toBe(true);
    expect(rules.historyOf(demand)).toEqual([]);
  });
});

describe('a knock', () => {
  it('goes from the named nodes to all that run, and from none that ends meanwhile', async () => {
    const { rules, nodes, second, third, fourth } = cluster();
    fourth.state = 'stopped';
    third.meanwhile = () => (third.state = 'stopped');
    await rules.knock(['node2', 'node3', 'node4']);
    expect(second.asked).toEqual(['10.0.0.1:9000', '10.0.0.1:8000', '10.0.0.3:9000', '10.0.0.3:8000']);
    expect([nodes[0]?.asked, fourth.asked]).toEqual([[], []]);
  });
});

describe('rules', () => {
  it('count what they stopped for whom it was, though the nodes have swapped their addresses since', async () => {
    const { rules, second, third, fourth } = cluster();
    await rules.enforce(demand);
    const stopped = { peer: third.address, port: 9_000, packets: 5, bytes: 300 };
    second.listing = { leaseSeconds: 40, pairs: [stopped], chains: new Map() };
    [third.address, fourth.address] = [fourth.address, third.address];
    await rules.reassert('node3', Date.now());
    // What the new table has counted comes on top, be it more than the old one had.
    second.listing = { leaseSeconds: 40, pairs: [{ ...stopped, packets: 6 }], chains: new Map() };
    const later = (await rules.read(demand)).find(({ node }) => node.name === 'node2');
    expect([...(later?.stopped.from ?? [])]).toEqual([
      ['node3', 5],
      ['node4', 6],
    ]);
    rules.close();
  });

  it('that cannot be loaded on a node that runs are no rules', async () => {
    const { rules, third } = cluster();
    third.meanwhile = () => {
      throw new FaultError('nft ended with 1');
    };
    await expect(rules.enforce(demand)).rejects.toThrow('nft ended with 1');
    rules.close();
  });

  it('that are in force nowhere are no rules', async () => {
    const { rules, nodes } = cluster();
    for (const node of nodes) node.state = 'stopped';
    await expect(rules.enforce(demand)).rejects.toThrow('nowhere');
    rules.close();
  });
});
