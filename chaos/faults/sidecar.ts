/**
 * The hand of the lab inside one node's network namespace: a side container that shares it, that alone has NET_ADMIN
 * there, and that is also where probes are sent from. The node's own container has neither privilege nor tool.
 */
import { readFileSync } from 'node:fs';
import { GenericContainer, PullPolicy } from 'testcontainers';
import type { StartedTestContainer } from 'testcontainers';
import { FAULTS_IMAGE } from '../cluster/image.ts';
import { FaultError } from './fault.ts';
import { parseTable } from './nft.ts';
import type { DelayedPair, Listing } from './nft.ts';

/** `silent`: no answer at all, as behind a drop. `refused`: the machine answers, nobody listens. */
export type Reach = 'open' | 'refused' | 'silent';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** An answer on one bridge takes microseconds; a dropped SYN is repeated after 1 s, so a lost one would show as silent. */
const PROBE_SECONDS = 0.7;

const DOWNLOAD_MS = 15_000;
const DELAY_PROXY = readFileSync(new URL('./delay-proxy.pl', import.meta.url), 'utf8');
const countFile = (table: string): string => `/tmp/${table}.count`;
const logFile = (table: string): string => `/tmp/${table}.log`;
const pidFile = (table: string): string => `/tmp/${table}.pid`;

export class Sidecar {
  readonly #container: StartedTestContainer;
  readonly #node: string;
  /** by table, what its proxy was started with */
  readonly #delays = new Map<string, string>();

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

  /** One file of nft, taken as a whole or not at all. @returns when the kernel had it, ms since the epoch. Throws FaultError. */
  async load(ruleset: string): Promise<number> {
    // The time is taken in the same breath: an exec's own way back takes longer than a packet.
    return Number(await this.shell('nft -f - <<<"$1" && date +%s%3N', ruleset));
  }

  /** What the kernel has of this table now; null when it is not there. */
  async table(name: string): Promise<Listing | null> {
    const look =
      'if nft list tables | grep -qxF "table inet $1"; then nft -j list table inet "$1"; else echo none; fi';
    const said = await this.shell(look, name);
    return said === 'none' ? null : parseTable(said);
  }

  /** @returns whether a name of the lab's network has an address, as seen from this namespace */
  async resolves(name: string): Promise<boolean> {
    return (await this.shell('timeout 2 getent hosts "$1" >/dev/null; echo $?', name)) === '0';
  }

  /**
   * Reads the node's own description of its HTTP contract, tens of kilobytes that are always there, again and again until
   * it has so many bytes, or the time is over.
   */
  async download(
    host: string,
    port: number,
    bytesWanted: number,
  ): Promise<{ readonly bytes: number; readonly ms: number }> {
    const read = `n=0; s=$(date +%s%3N); end=$((s + ${DOWNLOAD_MS}))
while [ $n -lt ${Math.ceil(bytesWanted)} ] && now=$(date +%s%3N) && [ $now -lt $end ]; do
  exec 3<>"/dev/tcp/$1"; printf 'GET /openapi.json HTTP/1.0\\r\\n\\r\\n' >&3
  n=$((n + $(timeout $(((end - now) / 1000 + 1)) cat <&3 | wc -c))); exec 3>&-
done; echo "$n $(($(date +%s%3N) - s))"`;
    const [bytes = 0, ms = 0] = (await this.shell(read, `${host}/${port}`)).split(' ').map(Number);
    return { bytes, ms: Math.max(1, ms) };
  }

  /** Starts the proxy of a delay, unless it runs as it should already. Resolves when it listens. Throws FaultError. */
  async delay(table: string, pairs: readonly DelayedPair[]): Promise<void> {
    const words = pairs.flatMap(({ listen, peer, port, ms, jitterMs }) => [listen, peer, port, ms, jitterMs]);
    const wanted = words.join(' ');
    if (this.#delays.get(table) === wanted) return;
    await this.endDelay(table);
    const start = `perl -e "$1" -- ${table} ${countFile(table)} ${wanted} </dev/null >${logFile(table)} 2>&1 & echo $! >${pidFile(table)}
for i in $(seq 100); do grep -qx ready ${logFile(table)} && exit 0; kill -0 $! || break; sleep 0.05; done; cat ${logFile(table)}; exit 1`;
    await this.shell(start, DELAY_PROXY);
    this.#delays.set(table, wanted);
  }

  /** Its connections end with it. */
  async endDelay(table: string): Promise<void> {
    if (this.#delays.delete(table))
      await this.shell('kill "$(cat "$1")" 2>/dev/null; rm -f "$1"', pidFile(table));
  }

  /** Chunks that the proxy of this table has passed on. */
  async delayed(table: string): Promise<number> {
    return Number(await this.shell('cat "$1" 2>/dev/null || echo 0', countFile(table)));
  }

  /** @param argument is $1 of the script. @returns what it printed. Throws FaultError when it fails. */
  async shell(script: string, argument: string): Promise<string> {
    return this.#run(['bash', '-c', script, 'sidecar', argument]);
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
