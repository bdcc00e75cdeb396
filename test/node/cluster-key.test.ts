/** Which nodes are one cluster: those with one key, topic and cluster name; and how the key is changed without a split. */
import { freePorts } from '../../chaos/cluster/ports.ts';
import { NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const OLD = 'a1'.repeat(32);
const NEW = 'b2'.repeat(32);
const HINT = 'has another cluster key, topic or cluster name';
const BUDGET_MS = 60_000;

interface Place {
  readonly http: number;
  readonly p2p: number;
}

const nodes: NodeProcess[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

it.each(['AETHEL_P2P_TOPIC', 'AETHEL_CLUSTER_NAME'])(
  'keeps two clusters with one key apart on both lungs, by %s (B11)',
  async (setting) => {
    const places = await placesOf(2);
    places.forEach((place, i) => {
      begin(new NodeProcess(), place, places, { AETHEL_CLUSTER_KEY: OLD, [setting]: `cluster-${i}` });
    });
    for (const [place, value] of [
      [places[0], 'of a'],
      [places[1], 'of b'],
    ] as const) {
      await until(async () => ((await put(place, 'k', value)) ? true : null), nodes, BUDGET_MS);
    }
    // Both have tried both lungs, and say what is wrong.
    await until(
      async () => (nodes.every(({ output }) => output.includes(HINT) && turnsAway(output)) ? true : null),
      nodes,
      BUDGET_MS,
    );
    expect((await talk(keyUrl(urlOf(places[1]), 'k'), 'DELETE')).status).toBe(200);
    for (const place of places) expect(await statusOf(place)).toMatchObject({ peers: [], sync_mode: 'NONE' });
    expect((await talk(keyUrl(urlOf(places[0]), 'k'))).body).toMatchObject({
      value: 'of a',
      conflict: false,
    });
  },
  120_000,
);

it('changes its key in three steps, one node at a time, and every node reaches all others by both lungs throughout', async () => {
  const places = await placesOf(3);
  const phases: readonly Readonly<Record<string, string>>[] = [
    { AETHEL_CLUSTER_KEY: OLD },
    { AETHEL_CLUSTER_KEY: OLD, AETHEL_CLUSTER_KEY_ACCEPTED: NEW },
    { AETHEL_CLUSTER_KEY: NEW, AETHEL_CLUSTER_KEY_ACCEPTED: OLD },
    { AETHEL_CLUSTER_KEY: NEW },
  ];
  const [first, ...rest] = phases;
  places.forEach((place) => begin(new NodeProcess(), place, places, first ?? {}));
  await whole(places);
  const written: string[] = [];
  for (const [step, phase] of rest.entries()) {
    for (const [i, place] of places.entries()) {
      const node = nodes[i];
      if (node === undefined) throw new Error('three nodes');
      node.kill('SIGTERM');
      await node.ended(BUDGET_MS);
      // Two of three are left, and write while it is away.
      const key = `step-${step}-${i}`;
      await until(async () => ((await put(places[(i + 1) % 3], key, i, 'majority')) ? true : null), nodes);
      written.push(key);
      begin(node, place, places, phase);
      await whole(places);
      expect(await put(place, `${key}-back`, i, 'all')).toBe(true);
      written.push(`${key}-back`);
    }
  }
  for (const place of places)
    for (const key of written) expect((await talk(keyUrl(urlOf(place), key))).status).toBe(200);
  expect(nodes.map(({ output }) => output).join('\n')).not.toMatch(/refused a peer|another cluster key/);
}, 300_000);

async function placesOf(count: number): Promise<readonly Place[]> {
  const ports = await freePorts(count * 2);
  return Array.from({ length: count }, (_, i) => ({ http: ports[i * 2] ?? 0, p2p: ports[i * 2 + 1] ?? 0 }));
}

function begin(
  node: NodeProcess,
  own: Place,
  places: readonly Place[],
  env: Readonly<Record<string, string>>,
): void {
  if (!nodes.includes(node)) nodes.push(node);
  const others = places.filter((other) => other !== own);
  node.start({
    AETHEL_HTTP_PORT: String(own.http),
    AETHEL_P2P_LISTEN: `/ip4/127.0.0.1/tcp/${own.p2p}`,
    AETHEL_LATTICE_NODES: others.map(urlOf).join(','),
    AETHEL_P2P_BOOTSTRAP: others.map(({ p2p }) => `/ip4/127.0.0.1/tcp/${p2p}`).join(','),
    AETHEL_HTTP_POLL_INTERVAL_MS: '300',
    ...env,
  });
}

/** Every node hears every other over both lungs, and all have the same state. */
async function whole(places: readonly Place[]): Promise<void> {
  await until(
    async () => {
      const seen = await Promise.all(places.map(statusOf));
      const roots = new Set(seen.map(({ merkle_root }) => merkle_root));
      const isWhole = seen.every(
        ({ sync_mode, peers }) =>
          sync_mode === 'P2P' &&
          peers.length === places.length - 1 &&
          peers.every(({ p2p, http }) => p2p.state === 'alive' && http.state === 'alive'),
      );
      return isWhole && roots.size === 1 ? true : null;
    },
    nodes,
    BUDGET_MS,
  );
}

interface Status {
  readonly sync_mode: string;
  readonly merkle_root: string;
  readonly peers: readonly { readonly p2p: Health; readonly http: Health }[];
}

interface Health {
  readonly state: string;
}

async function statusOf(place: Place): Promise<Status> {
  return (await talk(`${urlOf(place)}/api/lattice/p2p/status`)).body as unknown as Status;
}

async function put(place: Place | undefined, key: string, value: unknown, w = '1'): Promise<boolean> {
  const { status } = await talk(`${keyUrl(urlOf(place), key)}?w=${w}`, 'PUT', { value });
  return status < 300;
}

function urlOf(place: Place | undefined): string {
  return `http://127.0.0.1:${place?.http ?? 0}`;
}

function turnsAway(output: string): boolean {
  return /\[HTTP_SYNC\] refused a peer/.test(output) && /\[LATTICE_P2P\] refused a peer/.test(output);
}
