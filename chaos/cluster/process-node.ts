/** One node as a process of its own on loopback: the product's own main, in its own directory, in its own process group. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { placeOf } from '../faults/corrupt.ts';
import type { Damage } from '../faults/corrupt.ts';
import { HOG_SECONDS_MAX } from '../faults/hog.ts';
import type { Hogs } from '../faults/hog.ts';
import type { SpecOf } from '../faults/spec.ts';
import { timeOf, tryWriteTo } from './ask-node.ts';
import { spawnBusy } from './busy.ts';
import { isCrash } from './crash.ts';
import { poll } from './poll.ts';
import { endOfLog, NodeStartError } from './port.ts';
import type { ClusterNode, Death, NodeState, StartReport, StopReport } from './port.ts';
import { cutPower } from './power-disk.ts';
import { emptyDisk, fillDisk, freeBytes } from './small-disk.ts';
import { watchStart } from './watch-start.ts';

const REDIRECT = new URL('../faults/redirect.ts', import.meta.url).href;

/** A node answers within a second or two; the rest is for a machine that is busy with something else. */
const START_BUDGET_MS = 30_000;
/** the error of a measured start */
const LOOK_EVERY_MS = 10;
/** The contract is five seconds from SIGTERM. */
const STOP_BUDGET_MS = 8_000;

interface ProcessNodeOptions {
  readonly name: string;
  readonly directory: string;
  readonly main: string;
  /** asked at every start: what it holds of addresses may have changed */
  readonly env: () => Readonly<Record<string, string>>;
  readonly url: () => string;
  /** gives it another address, which its next start takes */
  readonly move: () => Promise<void>;
  readonly onChange: () => void;
  readonly onDeath: (death: Death) => void;
}

export class ProcessNode implements ClusterNode {
  readonly name: string;
  readonly #options: ProcessNodeOptions;
  readonly #logFile: string;
  #child: ChildProcess | null = null;
  #state: NodeState = 'stopped';
  /** since its start, and nobody has ended it */
  #serves = false;
  #started: StartReport = { launchedAt: 0, answersAt: 0, servesAt: 0 };

  constructor(options: ProcessNodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.#logFile = path.join(options.directory, 'node.log');
    mkdirSync(this.stateDirectory, { recursive: true });
  }

  get state(): NodeState {
    return this.#state;
  }

  get url(): string {
    return this.#options.url();
  }

  get directory(): string {
    return this.#options.directory;
  }

  /** null when no process runs */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  async start(): Promise<StartReport> {
    if (this.#child !== null) return this.#started;
    const launchedAt = Date.now();
    const log = openSync(this.#logFile, 'a');
    const child = spawn(process.execPath, ['--import', REDIRECT, this.#options.main], {
      // Its own directory, where no .env lies that would override the lab's settings.
      cwd: this.#options.directory,
      env: { ...inherited(), ...this.#options.env() },
      // Its own process group, so that a terminal's Ctrl-C reaches the lab only; the channel ends it when the lab dies.
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    child.on('error', () => this.#ended(child));
    child.on('exit', () => this.#ended(child));
    this.#child = child;
    this.#state = 'running';
    this.#options.onChange();

    const seen = await watchStart({
      url: () => this.url,
      over: async () =>
        this.#child === child ? null : `it ended with ${child.exitCode ?? child.signalCode}`,
      everyMs: LOOK_EVERY_MS,
      budgetMs: START_BUDGET_MS,
    });
    if (typeof seen === 'object' && seen !== null) {
      this.#started = { launchedAt, ...seen };
      this.#serves = this.#child === child;
      return this.#started;
    }
    const reason = seen ?? `it does not serve within ${START_BUDGET_MS} ms`;
    await this.kill();
    throw new NodeStartError(this.name, reason, await this.logs());
  }

  async kill(): Promise<number> {
    const struckAt = Date.now();
    await this.#end('SIGKILL', STOP_BUDGET_MS);
    return struckAt;
  }

  async stop(): Promise<StopReport> {
    const child = this.#child;
    const startedAt = performance.now();
    const graceful = await this.#end('SIGTERM', STOP_BUDGET_MS);
    if (!graceful) await this.#end('SIGKILL', STOP_BUDGET_MS);
    if (child !== null && isCrash(child.exitCode, child.signalCode)) await this.#tellDeath(child.exitCode);
    return { tookMs: performance.now() - startedAt, exitCode: child?.exitCode ?? null, graceful };
  }

  async freeze(): Promise<number> {
    const struckAt = Date.now();
    if (this.#child?.kill('SIGSTOP') === true) this.#state = 'frozen';
    return struckAt;
  }

  async thaw(): Promise<number> {
    if (this.#child?.kill('SIGCONT') === true) this.#state = 'running';
    return Date.now();
  }

  /** Kills it and starts it again at another address. @returns both, as URLs */
  async startElsewhere(): Promise<{
    readonly launchedAt: number;
    readonly from: string;
    readonly to: string;
  }> {
    const from = this.url;
    await this.kill();
    await this.#options.move();
    const { launchedAt } = await this.start();
    return { launchedAt, from, to: this.url };
  }

  async hog(count: number): Promise<Hogs> {
    const busy = Array.from({ length: count }, () => spawnBusy(HOG_SECONDS_MAX * 1_000));
    const alive = (): readonly number[] =>
      busy
        .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
        .flatMap(({ pid }) => pid ?? []);
    return {
      alive: async () => alive().length,
      cpuMs: async () => {
        const used = await Promise.all(alive().map(processorMs));
        return used.reduce((sum, ms) => sum + ms, 0);
      },
      stop: async () => {
        const ends = busy
          .filter(({ pid }) => pid !== undefined && alive().includes(pid))
          .map((hog) => once(hog, 'exit'));
        for (const hog of busy) hog.kill('SIGKILL');
        await Promise.all(ends);
      },
    };
  }

  async damageStore(how: SpecOf<'corrupt'>['how'], seed: number): Promise<Damage> {
    const file = this.#storeFile;
    await copyFile(file, this.#storeCopy);
    const content = await readFile(file);
    const { at, bit } = placeOf(seed, content.length);
    const damaged = how === 'torn' ? content.subarray(0, at) : Buffer.from(content);
    if (how === 'flipped') damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << bit), at);
    await writeFile(file, damaged);
    return { bytes: content.length, at, before: digestOf(content), after: digestOf(damaged) };
  }

  async restoreStore(): Promise<void> {
    await copyFile(this.#storeCopy, this.#storeFile);
  }

  /** when its process was made, ms since the epoch */
  get launchedAt(): number {
    return this.#started.launchedAt;
  }

  async setClock(text: string): Promise<void> {
    await writeFile(this.clockFile, `${text}\n`);
  }

  get clockFile(): string {
    return path.join(this.#options.directory, 'clock');
  }

  time(): Promise<number | null> {
    return timeOf({ url: this.url, apiToken: null });
  }

  async cutPower(): Promise<boolean> {
    return cutPower(this.stateDirectory);
  }

  async fillDisk(): Promise<void> {
    fillDisk(this.stateDirectory);
  }

  async emptyDisk(): Promise<void> {
    emptyDisk(this.stateDirectory);
  }

  async freeBytes(): Promise<number> {
    return freeBytes(this.stateDirectory);
  }

  tryWrite(characters: number): Promise<{ readonly taken: boolean; readonly said: string }> {
    return tryWriteTo({ url: this.url, apiToken: null }, characters);
  }

  get stateDirectory(): string {
    return path.join(this.#options.directory, 'state');
  }

  get #storeCopy(): string {
    return path.join(this.stateDirectory, 'lab-copy');
  }

  get #storeFile(): string {
    return path.join(this.stateDirectory, 'store', 'data.mdb');
  }

  async cpuMs(): Promise<number> {
    return this.pid === null ? 0 : processorMs(this.pid);
  }

  async logs(): Promise<string> {
    try {
      return await readFile(this.#logFile, 'utf8');
    } catch {
      return '';
    }
  }

  /** @returns whether the process is gone */
  async #end(signal: 'SIGTERM' | 'SIGKILL', budgetMs: number): Promise<boolean> {
    const child = this.#child;
    if (child === null) return true;
    this.#serves = false;
    // A frozen process hears SIGTERM only after it is thawed.
    if (this.#state === 'frozen') await this.thaw();
    child.kill(signal);
    const gone = await poll(async () => (this.#child === child ? null : true), { everyMs: 5, budgetMs });
    return gone !== null;
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#state = 'stopped';
    this.#options.onChange();
    if (this.#serves) void this.#tellDeath(child.exitCode);
    this.#serves = false;
  }

  async #tellDeath(exitCode: number | null): Promise<void> {
    this.#options.onDeath({ node: this.name, exitCode, said: endOfLog(await this.logs()) });
  }
}

/** What a node needs of our environment; never our own AETHEL_ settings, nor what only this runner's Node understands. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('AETHEL_') && name !== 'NODE_OPTIONS'),
  );
}

function digestOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** user and system time of all threads; the kernel counts in hundredths of a second */
async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name before it may hold anything, spaces and brackets too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
