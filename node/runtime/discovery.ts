/**
 * Discovery by one DNS name whose addresses are all members, as a scaled compose service or a headless service has. The name is
 * resolved again and again; addresses that are gone are forgotten by the lungs when they stop answering.
 *
 * A member with addresses of both families is looked for by IPv4 only, or every lung would dial two places for each; where there is no
 * other, by IPv6.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { Clock, Logger } from '../ports.ts';

export interface DiscoveryModules {
  readonly clock: Clock;
  readonly logger: Logger;
  /** @returns IP addresses; rejects when the name is not known (yet) */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  /** addresses of this machine, which are not peers */
  readonly ownAddresses: () => ReadonlySet<string>;
  readonly found: (address: string) => void;
  /** settings by which this node listens on IPv4 only */
  readonly onlyIpv4: readonly string[];
}

export interface DiscoveryOptions {
  readonly name: string;
  /** Pause between two look-ups while nobody or only few are known, in ms. Default 500; grows ×1.5 to `intervalMaxMs` while the answer stays the same. */
  readonly intervalMinMs: number;
  /** Default 5000: the time after which a new replica is known to all. */
  readonly intervalMaxMs: number;
}

export class Discovery {
  readonly #modules: DiscoveryModules;
  readonly #options: DiscoveryOptions;
  #cancel: (() => void) | null = null;
  #stopped = false;
  #last = '';
  #isFamilyTold = false;
  #intervalMs: number;

  constructor(modules: DiscoveryModules, options: DiscoveryOptions) {
    this.#modules = modules;
    this.#options = options;
    this.#intervalMs = options.intervalMinMs;
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #look(): Promise<void> {
    const { name, intervalMinMs, intervalMaxMs } = this.#options;
    let addresses: readonly string[] = [];
    try {
      addresses = await this.#modules.resolve(name);
    } catch (error) {
      this.#modules.logger.debug('discovery name does not resolve', { name, error: String(error) });
    }
    if (this.#stopped) return;
    const own = this.#modules.ownAddresses();
    const others = ofOneFamily(addresses.filter((address) => !own.has(address))).toSorted();
    this.#tellOfFamily(others);
    for (const address of others) this.#modules.found(address);
    const answer = others.join(' ');
    this.#intervalMs =
      answer === this.#last ? Math.min(this.#intervalMs * 1.5, intervalMaxMs) : intervalMinMs;
    this.#last = answer;
    this.#cancel = this.#modules.clock.after(this.#intervalMs, () => void this.#look());
  }

  /** Members that have IPv6 only cannot come to who listens on IPv4. */
  #tellOfFamily(others: readonly string[]): void {
    const { logger, onlyIpv4 } = this.#modules;
    if (this.#isFamilyTold || onlyIpv4.length === 0 || !others.some(isIPv6)) return;
    this.#isFamilyTold = true;
    const fields = { tag: 'STARTUP', name: this.#options.name, settings: onlyIpv4 };
    logger.warn('the discovery name resolves to IPv6 only, this node listens on IPv4 only', fields);
  }
}

/** Link-local addresses mean nothing without the interface, which DNS does not tell. */
function ofOneFamily(addresses: readonly string[]): readonly string[] {
  const ipv4 = addresses.filter(isIPv4);
  return ipv4.length > 0 ? ipv4 : addresses.filter((address) => !/^fe[89ab]/i.test(address));
}
