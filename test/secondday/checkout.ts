/** A directory with the compose files, as a user has it after `git clone`, and the cluster that compose makes of it. */
import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { poll } from '../../chaos/cluster/poll.ts';
import type { StatusResponse } from '../../node/http/schemas.ts';
import { talk } from '../node/talk.ts';
import { docker, linesOf } from './docker.ts';

export interface CheckoutOptions {
  /** its name is the project's, as compose has it */
  readonly directory: string;
  readonly repository: string;
  /** instead of the repository's own */
  readonly composeFile: string | null;
  readonly firstPort: number;
  readonly ports: number;
  readonly tag: string;
}

export interface Replica {
  readonly url: string;
  readonly status: StatusResponse;
}

const ANSWER_BUDGET_MS = 90_000;
const LOOK_EVERY_MS = 200;

export class Checkout {
  readonly project: string;
  readonly #options: CheckoutOptions;
  tag: string;

  constructor(options: CheckoutOptions) {
    this.#options = options;
    this.project = path.basename(options.directory);
    this.tag = options.tag;
    this.use(options.composeFile ?? path.join(options.repository, 'docker-compose.yml'));
    const overlay = path.join('compose', 'airgapped.yml');
    mkdirSync(path.join(options.directory, 'compose'), { recursive: true });
    cpSync(path.join(options.repository, overlay), path.join(options.directory, overlay));
  }

  /** Takes this compose file from now on. */
  use(composeFile: string): void {
    mkdirSync(this.#options.directory, { recursive: true });
    cpSync(composeFile, path.join(this.#options.directory, 'docker-compose.yml'));
  }

  get urls(): readonly string[] {
    const { firstPort, ports } = this.#options;
    return Array.from({ length: ports }, (_, i) => `http://127.0.0.1:${firstPort + i}`);
  }

  /** Nothing of the caller's own environment names another project, another file or a token. */
  get environment(): NodeJS.ProcessEnv {
    const { firstPort, ports } = this.#options;
    const { PATH, HOME, DOCKER_HOST, DOCKER_CONTEXT } = process.env;
    return {
      PATH,
      HOME,
      DOCKER_HOST,
      DOCKER_CONTEXT,
      AETHEL_TAG: this.tag,
      AETHEL_PORTS: `${firstPort}-${firstPort + ports - 1}`,
    };
  }

  compose(...args: readonly string[]): Promise<string> {
    return docker(['compose', '-f', 'docker-compose.yml', '-f', 'compose/airgapped.yml', ...args], {
      cwd: this.#options.directory,
      env: this.environment,
    });
  }

  up(...args: readonly string[]): Promise<string> {
    return this.compose('up', '-d', '--no-build', ...args);
  }

  containers(): Promise<readonly string[]> {
    const ours = `label=com.docker.compose.project=${this.project}`;
    return linesOf(['ps', '-q', '--filter', ours, '--filter', 'label=com.docker.compose.service=node']);
  }

  volumes(): Promise<readonly string[]> {
    return linesOf(['volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=${this.project}`]);
  }

  /**
   * All replicas, once there are so many, each another one that reaches all others and is ready; one alone never is.
   *
   * @throws an Error that says what there was instead
   */
  async replicas(count: number, signal: AbortSignal): Promise<readonly Replica[]> {
    let seen: readonly Replica[] = [];
    const all = await poll(
      async () => {
        seen = (await Promise.all(this.urls.map((url) => replicaAt(url, count > 1)))).filter(
          (replica) => replica !== null,
        );
        const ids = new Set(seen.map(({ status }) => status.peer_id));
        const isWhole = seen.every(({ status }) => status.peer_count >= count - 1);
        return seen.length === count && ids.size === count && isWhole ? seen : null;
      },
      { everyMs: LOOK_EVERY_MS, budgetMs: ANSWER_BUDGET_MS, signal },
    );
    if (all !== null) return all;
    const told = seen.map(
      ({ status }) => `${status.name} slot ${status.slot} with ${status.peer_count} peers`,
    );
    throw new Error(`${count} replicas never stood together: ${told.join(', ') || 'none answers'}`);
  }
}

async function replicaAt(url: string, mustBeReady: boolean): Promise<Replica | null> {
  try {
    if (mustBeReady && (await talk(`${url}/ready`)).status !== 200) return null;
    const { status, body } = await talk(`${url}/api/lattice/p2p/status`);
    return status === 200 ? { url, status: body as unknown as StatusResponse } : null;
  } catch {
    return null;
  }
}
