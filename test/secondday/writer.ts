/**
 * Clients that write all the time, whatever happens to the replicas, and remember what was acknowledged: every key is written
 * once, so what was acknowledged is what must be read. A write without an answer, or with another one, promises nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { keyUrl, talk } from '../node/talk.ts';

export type Quorum = '1' | 'majority';

const BETWEEN_MS = 25;
const QUORUM_WAIT_MS = 2_000;

export class Writer {
  readonly #urls: readonly string[];
  readonly #quorum: Quorum;
  readonly #acknowledged = new Map<string, string>();
  #isRunning = false;
  #done: Promise<void> = Promise.resolve();
  #next = 0;

  /** @param urls where replicas may be; most may refuse the connection */
  constructor(urls: readonly string[], quorum: Quorum) {
    this.#urls = urls;
    this.#quorum = quorum;
  }

  get acknowledged(): ReadonlyMap<string, string> {
    return this.#acknowledged;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#done = this.#run();
  }

  /** Resolves when no write is under way. */
  async pause(): Promise<void> {
    this.#isRunning = false;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (this.#isRunning) {
      this.#next += 1;
      const key = `${this.#quorum}/${this.#next}`;
      const value = `${key} at ${Date.now()}`;
      if (await this.#write(key, value)) this.#acknowledged.set(key, value);
      await sleep(BETWEEN_MS);
    }
  }

  /** To the first replica that can be reached, from any place in the range on. */
  async #write(key: string, value: string): Promise<boolean> {
    const from = Math.floor(Math.random() * this.#urls.length);
    const query = `?w=${this.#quorum}&timeout_ms=${QUORUM_WAIT_MS}`;
    for (let i = 0; i < this.#urls.length; i += 1) {
      const url = this.#urls[(from + i) % this.#urls.length] ?? '';
      try {
        const { status } = await talk(`${keyUrl(url, key)}${query}`, 'PUT', { value });
        return status === 200 || status === 201;
      } catch (error) {
        // Only who certainly did not get it is passed over: a second replica may write it again.
        if (!isRefused(error)) return false;
      }
    }
    return false;
  }
}

function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null;
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}
