/**
 * The order in which a node comes up and goes down. HTTP serves first, then the second lung listens, then the first lung gets
 * its bounded try; where it fails the node is up all the same. Going down, writes stop first and what was acknowledged is durable.
 */
import type { Logger, Lung, Storage } from '../ports.ts';
import type { LungName } from '../protocol/events.ts';
import type { Discovery } from './discovery.ts';
import type { Driver } from './driver.ts';
import type { Healing } from './healing.ts';
import type { SecondLung } from './second-lung.ts';
import type { Intake } from './intake.ts';

export interface LifecycleModules {
  readonly driver: Driver;
  readonly intake: Intake;
  readonly storage: Storage;
  /** it listens already; `serve` has it answer for this node, and gives the port */
  readonly server: { serve(): number; close(): Promise<void> };
  readonly http: Lung;
  /** null where P2P is disabled */
  readonly p2p: Lung | null;
  readonly introductions: readonly { readonly stop: () => void }[];
  readonly healing: Healing;
  readonly secondLung: SecondLung;
  /** notices when the state directory goes away */
  readonly stateWatch: { start(): void; stop(): void };
  readonly discovery: Discovery | null;
  readonly logger: Logger;
}

export interface LifecycleOptions {
  readonly peerId: string;
  /** HTTP peers by configuration */
  readonly httpPeers: number;
  readonly discoveryName: string | null;
  /** Time for acknowledged work to leave at a stop, in ms. Default 2000, within the five seconds of the contract. */
  readonly drainMs: number;
}

export class Lifecycle {
  readonly #modules: LifecycleModules;
  readonly #options: LifecycleOptions;
  #p2pError: string | null = null;
  #stopping: Promise<void> | null = null;

  constructor(modules: LifecycleModules, options: LifecycleOptions) {
    this.#modules = modules;
    this.#options = options;
  }

  /** Why P2P is not up, as a code (`p2p_start_timeout`, …); null when it is, or is disabled. */
  get p2pError(): string | null {
    return this.#p2pError;
  }

  /** Resolves when both lungs had their try. */
  async start(): Promise<void> {
    const { driver, intake, server, http, p2p, discovery, healing, secondLung, stateWatch } = this.#modules;
    const { peerId, httpPeers, discoveryName } = this.#options;
    driver.dispatch({ type: 'start' });
    healing.start();
    secondLung.start();
    stateWatch.start();
    this.#say('STARTUP', `HTTP serving on port ${server.serve()}`);
    this.#say('STARTUP', `peer_id: ${peerId}`);
    await http.start(intake.sinkOf('http'));
    this.#lung('http', 'up', 'started');
    this.#say('HTTP_SYNC', 'Heartbeat activated (secondary lung)');
    this.#say('HTTP_SYNC', `Monitoring ${httpPeers} peer node(s)`);
    discovery?.start();
    if (discoveryName !== null) this.#say('STARTUP', `Discovering members by DNS name ${discoveryName}`);
    if (p2p === null) this.#say('STARTUP', 'P2P disabled by configuration');
    else await this.#startP2p(p2p);
    if (healing.reason !== null) this.#say('STARTUP', `Healing: ${healing.reason}`);
    const carries = p2p !== null && this.#p2pError === null ? 'Hybrid' : 'HTTP';
    this.#say('STARTUP', `LATTICE READY - ${carries} Sync Active`);
  }

  /** A later try of the P2P lung ended. */
  p2pRevived(error: Error | null): void {
    if (this.#stopping !== null) return;
    if (error === null) this.#p2pUp();
    else
      this.#modules.logger.debug('P2P still fails to start', { tag: 'LATTICE_P2P', reason: codeOf(error) });
  }

  /** Idempotent. Resolves when nothing of the node is left running. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const { driver, server, http, p2p, introductions, discovery, healing, secondLung, storage, stateWatch } =
      this.#modules;
    this.#say('STARTUP', 'Stopping');
    discovery?.stop();
    for (const each of introductions) each.stop();
    healing.stop();
    secondLung.stop();
    stateWatch.stop();
    await driver.stop(this.#options.drainMs);
    await Promise.allSettled([server.close(), http.stop(), p2p?.stop()]);
    await storage.close();
    this.#say('STARTUP', 'Stopped');
  }

  async #startP2p(p2p: Lung): Promise<void> {
    try {
      await p2p.start(this.#modules.intake.sinkOf('p2p'));
    } catch (error) {
      if (this.#stopping !== null) return;
      this.#p2pError = codeOf(error);
      this.#modules.logger.warn(`P2P failed to start: ${this.#p2pError}`, {
        tag: 'STARTUP',
        error: error instanceof Error ? error.message : String(error),
      });
      this.#say('STARTUP', 'HTTP carries alone; P2P is tried again in the background');
      this.#lung('p2p', 'down', this.#p2pError);
      return;
    }
    this.#p2pUp();
  }

  #p2pUp(): void {
    this.#p2pError = null;
    this.#lung('p2p', 'up', 'started');
    this.#say('STARTUP', 'P2P started successfully');
  }

  #lung(lung: LungName, state: 'up' | 'down', reason: string): void {
    this.#modules.driver.dispatch({ type: 'lung', lung, state, reason });
  }

  #say(tag: string, line: string): void {
    this.#modules.logger.info(line, { tag });
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return 'p2p_start_failed';
}
