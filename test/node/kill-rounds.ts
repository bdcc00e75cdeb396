/**
 * P1 under SIGKILL: a real node, concurrent writers (single writes, conditional ones, deletes, batches), killed at random
 * instants, started again, and compared with what was sent and answered. What is sent and when the node dies is the
 * seed's; how requests interleave is the machine's.
 *
 * Each writer has its own keys and one request under way, so what a key may hold is known: its last acknowledged content,
 * or that of the one request which was not answered. Keys of a batch hold both or neither.
 */
import { join } from 'node:path';
import { canonicalOf } from '../../node/protocol/state/kept-record.ts';
import { decodeRecord } from '../../node/protocol/state/record.ts';
import { LmdbStorage } from '../../node/storage/lmdb-storage.ts';
import { rngOf } from '../../sim/rng.ts';
import { CLUSTER_KEY, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly progress: (line: string) => void;
  /** called with the store's directory while the node is dead; for tests of this harness */
  readonly whileDead?: (storeDir: string) => Promise<void>;
}

export interface KillReport {
  readonly kills: number;
  readonly acknowledged: number;
  /** requests under way when the node died: without any, nothing was tested */
  readonly interrupted: number;
  /** of those, how many turned out to be done */
  readonly survived: number;
  /** what was found wrong; none is as it should be */
  readonly violations: readonly string[];
}

const WRITERS = 8;
/** keys of one writer, so that most writes replace something */
const KEYS = 12;
const BATCH = 5;
const READY_BUDGET_MS = 30_000;
/** Violations told; one bug makes many. */
const VIOLATIONS_MAX = 20;

/** What a key holds; null: nothing. */
type Content = number | null;

interface Held {
  readonly content: Content;
  /** null where it was not told */
  readonly version: string | null;
}

/** One request: what each of its keys holds if it was done. */
interface Attempt {
  readonly writes: ReadonlyMap<string, Content>;
  readonly send: (url: string) => Promise<ReadonlyMap<string, string> | 'refused'>;
}

interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly version: string;
}

export async function killRounds(options: KillOptions): Promise<KillReport> {
  const run = new Run(options);
  try {
    for (let round = 1; round <= options.rounds; round += 1) await run.round(round);
    return run.report();
  } finally {
    await run.close();
  }
}

class Run {
  readonly #options: KillOptions;
  readonly #random: () => number;
  readonly #node = new NodeProcess();
  readonly #writers = Array.from({ length: WRITERS }, (_, i) => new Writer(i, () => this.#random()));
  readonly #violations: string[] = [];
  /** every sequence of the node's own that was ever seen in its store, with its record */
  readonly #sequences = new Map<number, string>();
  /** every version ever seen, with what it is a version of: none may ever be another's */
  readonly #versions = new Map<string, string>();
  #port = 0;
  #kills = 0;
  #interrupted = 0;
  #survived = 0;

  constructor(options: KillOptions) {
    this.#options = options;
    this.#random = rngOf(options.seed);
  }

  get #storeDir(): string {
    return join(this.#node.directory, 'state', 'store');
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async round(round: number): Promise<void> {
    if (this.#port === 0) await this.#start();
    let replies = 0;
    // Right after a reply, within the turn after one, or some time later, when requests are anywhere on their way.
    const how = Math.floor(this.#random() * 3);
    const after = 1 + Math.floor(this.#random() * 80);
    const delayMs = this.#random() * 12;
    let isDead = false;
    const kill = (): void => {
      isDead = true;
      this.#node.kill('SIGKILL');
    };
    const replied = (): void => {
      replies += 1;
      if (replies !== after) return;
      if (how === 0) kill();
      else if (how === 1) setImmediate(kill);
      else setTimeout(kill, delayMs);
    };
    await Promise.all(this.#writers.map((writer) => writer.work(this.#url, () => isDead, replied)));
    const end = await this.#node.ended(READY_BUDGET_MS);
    if (end !== 'SIGKILL')
      throw new Error(`the node was not killed but ended with ${end}:\n${this.#node.output}`);
    const interrupted = this.#writers.filter(({ open }) => open !== null).length;
    this.#kills += 1;
    this.#interrupted += interrupted;
    for (const writer of this.#writers) for (const what of writer.takeSurprises()) this.#violate(round, what);

    await this.#checkSequences(round);
    if (this.#options.whileDead !== undefined) {
      await this.#options.whileDead(this.#storeDir);
      await this.#checkSequences(round);
    }
    await this.#start();
    const survived = await this.#compare(round);
    this.#survived += survived;
    this.#options.progress(
      `round ${round}/${this.#options.rounds}: ${replies} replies, ${interrupted} interrupted of which ${survived} done, ${this.#violations.length} violations`,
    );
  }

  report(): KillReport {
    return {
      kills: this.#kills,
      acknowledged: this.#writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
      interrupted: this.#interrupted,
      survived: this.#survived,
      violations: this.#violations,
    };
  }

  async close(): Promise<void> {
    await this.#node.close();
  }

  async #start(): Promise<void> {
    this.#port = await freePort();
    this.#node.start({
      AETHEL_CLUSTER_KEY: CLUSTER_KEY,
      AETHEL_HTTP_PORT: String(this.#port),
      AETHEL_P2P_ENABLED: 'false',
      AETHEL_STATE_DIR: join(this.#node.directory, 'state'),
      AETHEL_LOG_LEVEL: 'warn',
    });
    await until(
      async () => ((await talk(`${this.#url}/ready`)).status === 200 ? true : null),
      [this.#node],
      READY_BUDGET_MS,
    );
  }

  /** In the dead node's store: no sequence is another record's than before, and none is beyond the one kept for the next. */
  async #checkSequences(round: number): Promise<void> {
    const storage = await LmdbStorage.open(this.#storeDir);
    try {
      const { meta, records } = storage.load();
      for (const { bytes } of records) {
        const { dot, id, key } = decodeRecord(canonicalOf(bytes));
        const before = this.#sequences.get(dot.sequence);
        if (before !== undefined && before !== id)
          this.#violate(round, `sequence ${dot.sequence} is used twice, now for ${key}`);
        this.#sequences.set(dot.sequence, id);
        if (dot.sequence > (meta?.sequence ?? 0))
          this.#violate(round, `sequence ${dot.sequence} of ${key} is free to be used again`);
      }
    } finally {
      await storage.close();
    }
  }

  /** @returns how many interrupted requests turned out to be done */
  async #compare(round: number): Promise<number> {
    const found = await entriesOf(this.#url);
    let survived = 0;
    const known = new Set<string>();
    for (const writer of this.#writers) {
      for (const key of writer.keys) known.add(key);
      const { isDone, violations } = writer.settle(found);
      if (isDone) survived += 1;
      for (const violation of violations) this.#violate(round, violation);
    }
    for (const [key, { version, value }] of found) {
      if (!known.has(key)) this.#violate(round, `${key} was never written and holds ${String(value)}`);
      const what = `${key}=${String(value)}`;
      const before = this.#versions.get(version);
      if (before !== undefined && before !== what) {
        this.#violate(round, `version ${version} is of ${before} and of ${what}`);
      }
      this.#versions.set(version, what);
    }
    return survived;
  }

  #violate(round: number, what: string): void {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push(`round ${round}: ${what}`);
  }
}

class Writer {
  readonly keys: readonly string[];
  acknowledged = 0;
  /** sent and not answered */
  open: Attempt | null = null;
  readonly #random: () => number;
  readonly #held = new Map<string, Held>();
  readonly #surprises: string[] = [];
  /** no content is ever written twice */
  #next: number;

  constructor(number: number, random: () => number) {
    this.keys = Array.from({ length: KEYS }, (_, i) => `writer ${number}/key ${i}`);
    this.#random = random;
    this.#next = (number + 1) * 1_000_000_000;
  }

  async work(url: string, isOver: () => boolean, replied: () => void): Promise<void> {
    while (!isOver()) {
      const attempt = this.#attempt();
      this.open = attempt;
      let versions: ReadonlyMap<string, string> | 'refused';
      try {
        versions = await attempt.send(url);
      } catch (error) {
        if (error instanceof UnexpectedAnswer) this.#surprises.push(error.message);
        return;
      }
      this.open = null;
      this.acknowledged += 1;
      if (versions !== 'refused') {
        for (const [key, content] of attempt.writes) {
          this.#held.set(key, { content, version: content === null ? null : (versions.get(key) ?? null) });
        }
      }
      replied();
    }
  }

  /** Whole answers that no rule foresees. */
  takeSurprises(): readonly string[] {
    return this.#surprises.splice(0);
  }

  /** Compares with what the node holds now, and goes on from there. */
  settle(found: ReadonlyMap<string, Entry>): {
    readonly isDone: boolean;
    readonly violations: readonly string[];
  } {
    const violations: string[] = [];
    const { open } = this;
    this.open = null;
    const states = this.keys.map((key) => {
      const entry = found.get(key);
      const content = entry === undefined ? null : entry.value;
      const held = this.#held.get(key) ?? { content: null, version: null };
      const isOld = content === held.content && (held.version === null || entry?.version === held.version);
      const isNew = open !== null && open.writes.has(key) && content === open.writes.get(key);
      return { key, entry, content, held, isOld, isNew };
    });
    const touched = states.filter(({ key }) => open?.writes.has(key) === true);
    const isDone =
      touched.length > 0 && touched.every(({ isNew }) => isNew) && !touched.every(({ isOld }) => isOld);
    for (const { key, content, held, isOld, isNew } of states) {
      if (isDone ? isNew || (isOld && !open?.writes.has(key)) : isOld) continue;
      const half = isNew ? ' (half of a batch)' : '';
      violations.push(`${key} holds ${String(content)}, acknowledged was ${String(held.content)}${half}`);
    }
    for (const { key, entry, content } of states) {
      this.#held.set(key, {
        content: typeof content === 'number' ? content : null,
        version: entry?.version ?? null,
      });
    }
    return { isDone, violations };
  }

  #attempt(): Attempt {
    const key = this.#key();
    const held = this.#held.get(key);
    const content = this.#content();
    const kind = this.#random();
    if (kind < 0.15 && typeof held?.content === 'number') return single(key, null, {});
    if (kind < 0.3) {
      const keys = new Set(Array.from({ length: BATCH }, () => this.#key()));
      return batch(
        new Map(
          [...keys].map((one) => [
            one,
            this.#random() < 0.2 && this.#hasContent(one) ? null : this.#content(),
          ]),
        ),
      );
    }
    if (kind < 0.5 && held?.content === null) return single(key, content, { 'If-None-Match': '*' });
    if (kind < 0.5 && typeof held?.version === 'string')
      return single(key, content, { 'If-Match': `"${held.version}"` });
    // a condition that cannot hold: its refusal must leave nothing
    if (kind < 0.55) return single(key, content, { 'If-Match': '"0000"' });
    return single(key, content, {});
  }

  #key(): string {
    return this.keys[Math.floor(this.#random() * this.keys.length)] ?? '';
  }

  #hasContent(key: string): boolean {
    return typeof this.#held.get(key)?.content === 'number';
  }

  #content(): number {
    this.#next += 1;
    return this.#next;
  }
}

function single(key: string, content: Content, headers: Readonly<Record<string, string>>): Attempt {
  const isImpossible = headers['If-Match'] === '"0000"';
  return {
    writes: isImpossible ? new Map() : new Map([[key, content]]),
    send: async (url) => {
      const { status, body } =
        content === null
          ? await talk(keyUrl(url, key), 'DELETE')
          : await talk(keyUrl(url, key), 'PUT', { value: content }, headers);
      if (isImpossible && status === 412) return 'refused';
      if (status !== 200 && status !== 201) throw new UnexpectedAnswer(key, status, body);
      return new Map([[key, String(body['version'])]]);
    },
  };
}

function batch(writes: ReadonlyMap<string, Content>): Attempt {
  const entries = [...writes].map(([key, content]) =>
    content === null ? { key, delete: true } : { key, value: content },
  );
  return {
    writes,
    send: async (url) => {
      const { status, body } = await talk(`${url}/api/lattice/state`, 'POST', { entries });
      if (status !== 200) throw new UnexpectedAnswer('a batch', status, body);
      const written = body['entries'] as readonly { readonly key: string; readonly version: string }[];
      return new Map(written.map(({ key, version }) => [key, version]));
    },
  };
}

/** A whole answer that no rule of ours foresees. */
class UnexpectedAnswer extends Error {
  constructor(what: string, status: number, body: unknown) {
    super(`${what}: ${status} ${JSON.stringify(body)}`);
  }
}

async function entriesOf(url: string): Promise<ReadonlyMap<string, Entry>> {
  const found = new Map<string, Entry>();
  for (let cursor: unknown = ''; typeof cursor === 'string';) {
    const after = cursor === '' ? '' : `&cursor=${cursor}`;
    const { body } = await talk(`${url}/api/lattice/state?entries=1&limit=200${after}`);
    for (const entry of body['entries'] as readonly Entry[]) found.set(entry.key, entry);
    cursor = body['next_cursor'];
  }
  return found;
}
