/**
 * The hand of the lab inside one node's network namespace: a side container that shares it, that alone has NET_ADMIN
 * there, and that is also where probes are sent from. The node's own container has neither privilege nor tool.
 */
import { GenericContainer, PullPolicy } from 'testcontainers';
import type { StartedTestContainer } from 'testcontainers';
import { FaultError } from './fault.ts';
import { TABLE, parseTable, renderRemoval, renderTable } from './nft.ts';
import type { CountedDrop, Drop } from './nft.ts';

/** `silent`: no answer at all, as behind a drop. `refused`: the machine answers, nobody listens. */
export type Reach = 'open' | 'refused' | 'silent';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export const FAULTS_IMAGE = process.env['AETHEL_FAULTS_IMAGE'] ?? 'aethel/faults:1';

/** An answer on one bridge takes microseconds; a dropped SYN is repeated after 1 s, so a lost one would show as silent. */
const PROBE_SECONDS = 0.7;

export class Sidecar {
  readonly #container: StartedTestContainer;
  readonly #node: string;

  private constructor(node: string, container: StartedTestContainer) {
    this.#node = node;
    this.#container = container;
  }

  /** @param name of the side container; the node's own name stands in messages */
  static async start(
    node: string,
    name: string,
    containerId: string,
    labels: Readonly<Record<string, string>>,
  ): Promise<Sidecar> {
    const container = await new FaultsContainer(FAULTS_IMAGE)
      .withName(name)
      .withNetworkMode(`container:${containerId}`)
      .withDroppedCapabilities('ALL')
      .withAddedCapabilities('NET_ADMIN')
      .withLabels({ ...labels })
      .withPullPolicy(PullPolicy.neverPull())
      .start();
    return new Sidecar(node, container);
  }

  /** @returns when the kernel had taken the rules, ms since the epoch by the machine's own clock */
  async drop(drops: readonly Drop[], ttlSeconds: number): Promise<number> {
    const output = await this.#nft(renderTable(drops, ttlSeconds));
    return Number(output);
  }

  /** Lifts every drop and reads back that the table is gone. @returns when, ms since the epoch */
  async lift(): Promise<number> {
    const liftedAt = Number(await this.#nft(renderRemoval()));
    if ((await this.read()) !== null)
      throw new FaultError(`${this.#node}: ${TABLE} is still there after its deletion`);
    return liftedAt;
  }

  /** What is in force now; null when there is no table of ours. */
  async read(): Promise<{ readonly drops: readonly CountedDrop[]; readonly rules: number } | null> {
    const tables = await this.#run(['nft', 'list', 'tables']);
    if (!tables.split('\n').includes(`table ${TABLE}`)) return null;
    return parseTable(await this.#run(['sh', '-c', `nft -j list table ${TABLE}`]));
  }

  /** Tries to connect to each, all at once, from the node's own address. */
  async probe(targets: readonly Endpoint[]): Promise<readonly Reach[]> {
    const script = `for t in "$@"; do ( timeout ${PROBE_SECONDS} bash -c "</dev/tcp/\${t%:*}/\${t#*:}" 2>/dev/null; echo "$t $?" ) & done; wait`;
    const names = targets.map(({ host, port }) => `${host}:${port}`);
    const output = await this.#run(['bash', '-c', script, 'probe', ...names]);
    const codes = new Map(output.split('\n').map((line) => splitOnce(line.trim())));
    return names.map((name) => reachOf(codes.get(name)));
  }

  async remove(): Promise<void> {
    await this.#container.stop({ timeout: 0, remove: true, removeVolumes: true });
  }

  async #nft(ruleset: string): Promise<string> {
    // The time is taken in the same breath: an exec's own way back takes longer than a packet.
    return this.#run(['bash', '-c', 'nft -f - <<<"$1" && date +%s%3N', 'nft', ruleset]);
  }

  async #run(command: readonly string[]): Promise<string> {
    const { exitCode, output } = await this.#container.exec([...command]);
    if (exitCode !== 0)
      throw new FaultError(`${this.#node}: ${command[0]} ended with ${exitCode}: ${output.trim()}`);
    return output.trim();
  }
}

function splitOnce(line: string): [string, string] {
  const [name = '', code = ''] = line.split(' ');
  return [name, code];
}

function reachOf(code: string | undefined): Reach {
  if (code === '0') return 'open';
  return code === '124' ? 'silent' : 'refused';
}

class FaultsContainer extends GenericContainer {
  protected override async beforeContainerCreated(): Promise<void> {
    this.hostConfig.Init = true;
    this.hostConfig.SecurityOpt = ['no-new-privileges:true'];
    this.hostConfig.ReadonlyRootfs = true;
    // bash keeps a here-string in a temporary file
    this.hostConfig.Tmpfs = { '/tmp': 'rw,noexec,size=1m' };
    this.hostConfig.PidsLimit = 64;
  }
}
