/**
 * `Idempotency-Key`: a write whose answer was lost can be sent again, and is answered as it was the first time instead of
 * being done twice, or refused because of itself (If-Match, a second DELETE).
 *
 * The table is this node's memory, and bounded: a restart forgets it, another node never knew it, and the oldest go first.
 * What came to nothing (4xx, no clock, too few members) is not kept, so that the client may try it again; neither is what
 * nobody knows (the store failed).
 *
 * @see draft-ietf-httpapi-idempotency-key-header
 */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Headers } from './answer.ts';
import { HttpProblem } from './problems.ts';

export interface Reply {
  readonly status: number;
  /** JSON */
  readonly text: string;
  readonly headers: Headers;
}

export interface ReplaysOptions {
  readonly windowMs: number;
  readonly keysMax: number;
  /** of all answers that are kept */
  readonly bytesMax: number;
}

/** Guesses: clients give up within minutes; the bytes are what 10,000 answers to single writes take, or some large batches. */
export const REPLAYS_DEFAULTS: ReplaysOptions = { windowMs: 600_000, keysMax: 10_000, bytesMax: 8_388_608 };

interface Kept {
  readonly fingerprint: string;
  readonly since: number;
  readonly reply: Promise<Reply>;
  bytes: number;
}

/** One string of RFC 8941, or what clients send without its quotes. */
const KEY = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;
const REPLAYED: Headers = { 'Idempotency-Replayed': 'true' };

export class Replays {
  readonly #options: ReplaysOptions;
  /** oldest first */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /**
   * @param content of the body, as text; asked for only where there is a key
   * @returns what `act` answered, now or when it was asked for the first time
   * @throws HttpProblem when the key stands for another request, or with what `act` throws
   */
  async once(request: IncomingMessage, content: () => string, act: () => Promise<Reply>): Promise<Reply> {
    const key = keyOf(request);
    if (key === null) return act();
    const fingerprint = fingerprintOf(request, content());
    const before = this.#find(key);
    if (before !== undefined) {
      if (before.fingerprint !== fingerprint) throw reused();
      const reply = await before.reply;
      return { ...reply, headers: { ...reply.headers, ...REPLAYED } };
    }
    const kept: Kept = { fingerprint, since: performance.now(), reply: act(), bytes: key.length };
    this.#keep(key, kept);
    try {
      const reply = await kept.reply;
      this.#weigh(key, kept, reply.text.length);
      return reply;
    } catch (error) {
      if (!isWritten(error)) this.#forget(key, kept);
      throw error;
    }
  }

  #find(key: string): Kept | undefined {
    this.#trim();
    return this.#kept.get(key);
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.set(key, kept);
    this.#bytes += kept.bytes;
    this.#trim();
  }

  #weigh(key: string, kept: Kept, bytes: number): void {
    if (this.#kept.get(key) !== kept) return;
    kept.bytes += bytes;
    this.#bytes += bytes;
    this.#trim();
  }

  #forget(key: string, kept: Kept): void {
    if (this.#kept.get(key) !== kept) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }

  #trim(): void {
    const { windowMs, keysMax, bytesMax } = this.#options;
    const now = performance.now();
    for (const [key, kept] of this.#kept) {
      const isOver = this.#kept.size > keysMax || this.#bytes > bytesMax || now - kept.since > windowMs;
      if (!isOver) return;
      this.#forget(key, kept);
    }
  }
}

function keyOf({ headers }: IncomingMessage): string | null {
  const header = headers['idempotency-key'];
  if (header === undefined) return null;
  const parts = KEY.exec(String(header));
  const key = parts?.[1] ?? parts?.[2];
  if (key !== undefined) return key;
  throw new HttpProblem(
    'bad-request',
    'Idempotency-Key: must be 1–255 visible ASCII characters without quotes and backslashes, in quotes or not.',
  );
}

/** What must be the same for it to be the same request. */
function fingerprintOf({ method, url, headers }: IncomingMessage, content: string): string {
  const conditions = [headers['if-match'] ?? null, headers['if-none-match'] ?? null];
  return hash('sha256', JSON.stringify([method, url, conditions, content]), 'base64');
}

/** 504: it is durable here, though not acknowledged by as many as were asked for. */
function isWritten(error: unknown): boolean {
  return error instanceof HttpProblem && error.slug === 'too-few-acks';
}

function reused(): HttpProblem {
  return new HttpProblem(
    'idempotency-key-reused',
    'This Idempotency-Key stands for another request, with another path, query, condition or body. Nothing was written.',
  );
}
