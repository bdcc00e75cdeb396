/**
 * Load generators: autocannon, and wrk, which takes a quarter of its processor time and is on few machines. Both send the same
 * requests over keep-alive connections, one at a time on each.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cpuMsOf } from './proc.ts';

/** Requests that differ by a number: `%n` in path and body is `first`, then the next, back at `first` after `wrap` of them. */
export interface Load {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  /** JSON; null: none */
  readonly body: string | null;
  readonly connections: number;
  readonly first: number;
  /** null: never */
  readonly wrap: number | null;
}

interface Loaded {
  /** requests that were answered well, which is all of them */
  readonly requests: number;
  readonly seconds: number;
  /** processor time of the generator, ms */
  readonly processorMs: number;
  /** numbers below this were used, or may have been */
  readonly next: number;
}

export interface Generator {
  /** name and version, for the report */
  readonly describe: string;
  /** @throws when a request was not answered well */
  load(url: string, load: Load): Promise<Loaded>;
  close(): Promise<void>;
}

export type GeneratorName = 'autocannon' | 'wrk';

/** Requests that a round is made of, for a generator that counts them; one that counts time works a second for as many. */
const REQUESTS_A_SECOND = 10_000;

/** @param n requests of a round, about */
export function makeGenerator(name: GeneratorName, n: number): Generator {
  return name === 'wrk' ? new Wrk(Math.max(1, Math.round(n / REQUESTS_A_SECOND))) : new Autocannon(n);
}

/** What `wrk -v` says; null where there is none. */
export function wrkVersion(): string | null {
  const { stdout, error } = spawnSync('wrk', ['-v'], { encoding: 'utf8' });
  return error === undefined ? (/^wrk \S+/.exec(stdout)?.[0] ?? 'wrk') : null;
}

/** A process for each load, as wrk has it. */
class Wrk implements Generator {
  readonly describe = wrkVersion() ?? 'wrk';
  readonly #seconds: number;
  readonly #directory = mkdtempSync(join(tmpdir(), 'aethel-wrk-'));

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  async load(url: string, { method, path, body, connections, first, wrap }: Load): Promise<Loaded> {
    const file = join(this.#directory, 'body');
    if (body !== null) writeFileSync(file, body);
    const script = fileURLToPath(new URL('peers/wrk.lua', import.meta.url));
    const options = ['-t', '1', '-c', String(connections), '-d', String(this.#seconds), '--timeout', '60'];
    const what = [method, String(first), String(wrap ?? 0), path, body === null ? '-' : file];
    const { stdout } = await promisify(execFile)('wrk', [...options, '-s', script, url, '--', ...what]);
    const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as LoadResult & {
      readonly processorMs: number;
    };
    assertGood(result, 1);
    const { good, seconds, processorMs } = result;
    return { requests: good, seconds, processorMs, next: first + good + connections };
  }

  async close(): Promise<void> {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** One process through all loads, so that its compiler is warm for everybody alike. */
class Autocannon implements Generator {
  readonly describe = 'autocannon';
  readonly #requests: number;
  readonly #process = spawn(process.execPath, [fileURLToPath(new URL('peers/load.mjs', import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });

  constructor(requests: number) {
    this.#requests = requests;
  }

  async load(url: string, { method, path, body, connections, first, wrap }: Load): Promise<Loaded> {
    const isLarge = body !== null && body.length > LARGE_BODY_CHARS;
    const count = Math.max(connections, isLarge ? Math.ceil(this.#requests / 100) : this.#requests);
    const requests = Array.from({ length: count }, (_, i) => {
      const number = String(first + (wrap === null ? i : i % wrap));
      return {
        method,
        path: path.replaceAll('%n', number),
        ...(body === null ? {} : { body: body.replaceAll('%n', number), headers: JSON_HEADERS }),
      };
    });
    const before = cpuMsOf(this.#process.pid);
    this.#process.send({ url, connections, requests });
    const [result] = (await once(this.#process, 'message')) as [LoadResult];
    assertGood(result, count);
    return {
      requests: result.good,
      seconds: result.seconds,
      processorMs: cpuMsOf(this.#process.pid) - before,
      next: first + count,
    };
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await ended;
  }
}

const JSON_HEADERS = { 'content-type': 'application/json' };
/** A batch; of those there are a hundredth. */
const LARGE_BODY_CHARS = 1_000;

interface LoadResult {
  readonly seconds: number;
  readonly good: number;
  readonly bad: number;
}

function assertGood({ good, bad }: LoadResult, atLeast: number): void {
  if (bad > 0 || good < atLeast) throw new Error(`${good} requests were answered well, ${bad} badly`);
}
