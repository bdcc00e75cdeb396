/** P5 and P8 on real processes: two nodes that wrote one key apart, and what a third party can check of it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EntryResponse, WriteResponse } from '../../node/http/schemas.ts';
import { poll } from '../../chaos/cluster/poll.ts';
import { CLUSTER_KEY, freePort, NodeProcess } from './node-process.ts';

const VERIFIER = fileURLToPath(new URL('../../scripts/verify-proof.ts', import.meta.url));
const BUDGET_MS = 20_000;

interface Place {
  readonly node: NodeProcess;
  readonly http: number;
}

describe('two nodes that wrote one key apart', () => {
  const places: Place[] = [];

  afterEach(async () => {
    await Promise.all(places.splice(0).map(({ node }) => node.close()));
  });

  it('show one winner and the sibling on both, until a write that saw them; a third party can check each step', async () => {
    const [a, b] = [await place(), await place()];
    for (const alone of [a, b]) await restart(alone, '');
    await put(a, '"of a"');
    await put(b, '"of b"');
    await restart(a, `http://127.0.0.1:${b.http}`);
    await restart(b, `http://127.0.0.1:${a.http}`);

    const [atA, atB] = await Promise.all([a, b].map((one) => entryWhen(one, ({ conflict }) => conflict)));
    expect(atA?.value).toBe(atB?.value);
    expect(atA?.version).toBe(atB?.version);
    expect(atA?.siblings).toEqual(atB?.siblings);
    expect([atA?.value, ...(atA?.siblings ?? []).map(({ value }) => value)].toSorted()).toEqual([
      'of a',
      'of b',
    ]);
    expect(verify(await proofOf(a))).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('conflict'),
    });

    const stale = await put(a, '"stale"', { 'if-match': '"0000"' });
    expect(stale.status).toBe(412);
    const resolved = await put(a, '"of both"', { 'if-match': `"${atA?.version}"` });
    expect(resolved.status).toBe(200);
    const settled = await entryWhen(b, ({ conflict }) => !conflict);
    expect(settled).toMatchObject({ value: 'of both', siblings: [] });

    const proof = await proofOf(b);
    expect(verify(proof).status).toBe(0);
    const tampered = JSON.stringify(proof).replace(
      /"timestamp":(\d+)/,
      (_all, at) => `"timestamp":${Number(at) + 1}`,
    );
    expect(verify(JSON.parse(tampered)).status).toBe(1);
  }, 90_000);

  async function place(): Promise<Place> {
    const made = { node: new NodeProcess(), http: await freePort() };
    places.push(made);
    return made;
  }

  async function restart({ node, http }: Place, peers: string): Promise<void> {
    if (node.output !== '') {
      node.kill('SIGTERM');
      await node.ended(BUDGET_MS);
      node.output = '';
    }
    node.start({
      AETHEL_CLUSTER_KEY: CLUSTER_KEY,
      AETHEL_HTTP_PORT: String(http),
      AETHEL_P2P_LISTEN: '/ip4/127.0.0.1/tcp/0',
      AETHEL_STATE_DIR: join(node.directory, 'state'),
      AETHEL_LATTICE_NODES: peers,
    });
    await node.says('LATTICE READY', BUDGET_MS);
  }
});

async function put({ http }: Place, value: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`http://127.0.0.1:${http}/api/lattice/state/contested`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...headers },
    body: `{"value": ${value}}`,
  });
  const body: unknown = await response.json();
  if (response.ok) WriteResponse.parse(body);
  return response;
}

async function entryWhen({ http }: Place, claim: (entry: EntryResponse) => boolean): Promise<EntryResponse> {
  const entry = await poll(
    async () => {
      const response = await fetch(`http://127.0.0.1:${http}/api/lattice/state/contested`);
      if (response.status !== 200) return null;
      const read = EntryResponse.parse(await response.json());
      return claim(read) ? read : null;
    },
    { everyMs: 50, budgetMs: BUDGET_MS },
  );
  if (entry === null) throw new Error('never so');
  return entry;
}

async function proofOf({ http }: Place): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${http}/api/lattice/state/contested?proof=1`);
  return EntryResponse.parse(await response.json()).proof;
}

function verify(proof: unknown) {
  return spawnSync(process.execPath, [VERIFIER], { input: JSON.stringify(proof), encoding: 'utf8' });
}
