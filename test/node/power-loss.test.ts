/**
 * Power loss, played: strace writes down every write and flush of a store at work; then, for many instants, its files are put together
 * as a disk may hold them when the power goes: everything flushed, and of the rest, what is being flushed included, any sectors in
 * any mixture. Each such pair of files must open with every promised batch and no half of one. Needs strace; says so where it is
 * missing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LmdbStorage } from '../../node/storage/lmdb-storage.ts';
import { rngOf } from '../../sim/rng.ts';
import { WRITERS, type WrittenBy } from '../fixtures/open-store.ts';

const WRITER = fileURLToPath(new URL('../fixtures/storage-writer.ts', import.meta.url));
const SECTOR = 512;
const PROMISES = 60;
/** So large that the journal is written to LMDB several times meanwhile. */
const VALUE_BYTES = { caller: '100', thread: '3000' } as const;
const FILES = ['data.mdb', 'journal'] as const;
type StoreFile = (typeof FILES)[number];
/** ways in which the power may go at each instant; the journal is a large file to make anew */
const VARIANTS = { caller: 5, thread: 2 } as const;

interface Write {
  readonly type: 'write';
  readonly file: StoreFile;
  readonly at: number;
  readonly bytes: Buffer;
  readonly isFlushed: boolean;
}

/** What happened to the store's files, in order; `promised`: the writer was told that batch n is durable. */
type Step =
  | Write
  | { readonly type: 'flush'; readonly file: StoreFile }
  | { readonly type: 'promised'; readonly batch: number };

describe.each(WRITERS)('a store whose power goes, written by %s', (writtenBy) => {
  let directory: string;
  let steps: readonly Step[] | null;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'aethel-power-'));
    steps = hasStrace() ? await record(directory, writtenBy) : null;
    if (steps === null) process.stdout.write('SKIPPED: power loss: strace is not there\n');
  }, 60_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('has every promised batch, whole, wherever that happens', async () => {
    if (steps === null) return;
    const flushes = steps.filter(({ type }) => type === 'flush').length;
    const frames = steps.filter((step) => step.type === 'write' && step.file === 'journal');
    expect(flushes).toBeGreaterThan(writtenBy === 'thread' ? 3 : 10);
    expect(frames.length).toBeGreaterThan(writtenBy === 'thread' ? PROMISES : -1);
    expect(await faultsAfter(steps, { directory, writtenBy })).toEqual([]);
  }, 120_000);

  it('is found out when it does not flush', async () => {
    if (steps === null) return;
    const first = steps.findIndex(({ type }) => type === 'promised');
    const unflushed = steps.map((step, i) => (i < first ? step : withoutFlush(step)));
    expect((await faultsAfter(unflushed, { directory, writtenBy })).length).toBeGreaterThan(0);
  }, 120_000);
});

function hasStrace(): boolean {
  try {
    execFileSync('strace', ['-o', '/dev/null', '/bin/true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function record(directory: string, writtenBy: WrittenBy): Promise<readonly Step[]> {
  const store = join(directory, 'recorded');
  const calls = 'trace=openat,close,lseek,write,writev,pwrite64,pwritev,fdatasync,fsync,msync,ftruncate';
  const options = ['-ff', '-ttt', '-y', '-xx', '-s', '10000000', '-e', calls, '-o', join(directory, 'trace')];
  const child = spawn(
    'strace',
    [...options, process.execPath, '--no-warnings', WRITER, store, writtenBy, VALUE_BYTES[writtenBy]],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    },
  );
  let lines = 0;
  for await (const _line of createInterface({ input: child.stdout })) {
    lines += 1;
    // strace and the writer are a process group of their own
    if (lines === PROMISES && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const traced = readdirSync(directory)
    .filter((name) => name.startsWith('trace.'))
    .flatMap((name) => readFileSync(join(directory, name), 'latin1').split('\n'))
    .map((line) => ({ line, time: Number(line.split(' ', 1)[0]) }))
    .filter(({ time }) => time > 0)
    .toSorted((a, b) => a.time - b.time);
  return stepsOf(traced.map(({ line }) => line.slice(line.indexOf(' ') + 1)));
}

/** @throws when the file was touched in a way that is not known here */
function stepsOf(calls: readonly string[]): readonly Step[] {
  const steps: Step[] = [];
  const flushing = new Set<string>();
  const positions = new Map<string, number>();
  for (const call of calls) {
    const promised = /^write\(1<[^>]*>, "((?:\\x[0-9a-f]{2})+)"/.exec(call);
    if (promised !== null)
      steps.push({ type: 'promised', batch: Number(bytesOf(promised[1] ?? '').toString()) });
    const opened = /^openat\(.*(?:data\.mdb|journal).*, (O_\S+?)(?:, \d+)?\) = (\d+)</.exec(
      decodedPath(call),
    );
    if (opened !== null && opened[1]?.includes('O_DSYNC') === true) flushing.add(opened[2] ?? '');
    const used = /^(\w+)\((\d+)<[^>]*\/(data\.mdb|journal)>(.*)$/s.exec(decodedPath(call));
    if (used === null) continue;
    const [, name = '', descriptor = '', path = '', rest = ''] = used;
    const file = path === 'journal' ? 'journal' : 'data.mdb';
    // What the kill broke off told nobody anything: it is as if it had never been asked for.
    if (!/\) += \d+$/.test(rest.trimEnd())) continue;
    const isFlushed = flushing.has(descriptor);
    const chunks = [...rest.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) => bytesOf(hex));
    switch (name) {
      case 'lseek':
        positions.set(descriptor, Number(/^, (\d+), SEEK_SET\)/.exec(rest)?.[1]));
        break;
      case 'pwrite64':
        steps.push({
          type: 'write',
          file,
          at: Number(/, (\d+)\) = /.exec(rest)?.[1]),
          bytes: Buffer.concat(chunks),
          isFlushed,
        });
        break;
      case 'writev':
        steps.push({
          type: 'write',
          file,
          at: positions.get(descriptor) ?? NaN,
          bytes: Buffer.concat(chunks),
          isFlushed,
        });
        break;
      case 'pwritev':
        steps.push({
          type: 'write',
          file,
          at: Number(/\], \d+, (\d+)\) = /.exec(rest)?.[1]),
          bytes: Buffer.concat(chunks),
          isFlushed,
        });
        break;
      case 'fdatasync':
      case 'fsync':
        steps.push({ type: 'flush', file });
        break;
      case 'close':
        break;
      default:
        throw new Error(`the store's file was touched by ${name}`);
    }
  }
  return steps;
}

/** With -xx paths are hex too. */
function decodedPath(call: string): string {
  return call
    .replace(/<((?:\\x[0-9a-f]{2})+)>/g, (_all, hex: string) => `<${bytesOf(hex).toString()}>`)
    .replace(
      /^(openat\([^"]*)"((?:\\x[0-9a-f]{2})+)"/,
      (_all, head: string, hex: string) => `${head}"${bytesOf(hex).toString()}"`,
    );
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex');
}

/** Lets the power go at many instants. @returns what was wrong, and when; some of it is enough */
async function faultsAfter(
  steps: readonly Step[],
  { directory, writtenBy }: { readonly directory: string; readonly writtenBy: WrittenBy },
): Promise<readonly string[]> {
  const faults: string[] = [];
  const random = rngOf(1);
  const disks = { 'data.mdb': new Disk(), journal: new Disk() };
  let promised = 0;
  let losses = 0;
  for (const [i, step] of steps.entries()) {
    if (faults.length >= FAULTS_MAX) return faults;
    // before the first promise there is nothing to lose, and the file may not even be one
    const variants = promised === 0 || step.type === 'promised' ? 0 : VARIANTS[writtenBy];
    for (let variant = 0; variant < variants; variant += 1) {
      losses += 1;
      const images = FILES.map((file) =>
        disks[file].afterLoss(random, step.type === 'write' && step.file === file ? step : null),
      );
      const fault = await faultOf(images, promised, directory);
      if (fault !== null) faults.push(`in step ${i}: ${fault}`);
    }
    if (step.type === 'promised') promised = Math.max(promised, step.batch);
    else disks[step.file].take(step);
  }
  expect(losses).toBeGreaterThan(PROMISES);
  return faults;
}

const FAULTS_MAX = 10;

function withoutFlush(step: Step): Step {
  if (step.type === 'write') return { ...step, isFlushed: false };
  // a promise changes nothing
  return step.type === 'flush' ? { type: 'promised', batch: 0 } : step;
}

/** What a disk holds of one file. */
class Disk {
  #flushed: Buffer = Buffer.alloc(0);
  #waiting: Write[] = [];

  take(step: Exclude<Step, { type: 'promised' }>): void {
    if (step.type === 'flush') {
      for (const { at, bytes } of this.#waiting) this.#flushed = written(this.#flushed, at, bytes);
      this.#waiting = [];
    } else if (step.isFlushed) this.#flushed = written(this.#flushed, step.at, step.bytes);
    else this.#waiting.push(step);
  }

  /** Of what was not flushed any sectors may be there. @param underWay what is being written */
  afterLoss(random: () => number, underWay: Write | null): Buffer {
    let image: Buffer = Buffer.from(this.#flushed);
    for (const { at, bytes } of underWay === null ? this.#waiting : [...this.#waiting, underWay]) {
      for (let from = 0; from < bytes.length;) {
        const to = Math.min(bytes.length, from + SECTOR - ((at + from) % SECTOR));
        if (random() < 0.5) image = written(image, at + from, bytes.subarray(from, to));
        from = to;
      }
    }
    return image;
  }
}

function written(file: Buffer, at: number, bytes: Uint8Array): Buffer {
  const longer =
    at + bytes.length > file.length
      ? Buffer.concat([file, Buffer.alloc(at + bytes.length - file.length)])
      : file;
  longer.set(bytes, at);
  return longer;
}

async function faultOf(
  images: readonly Buffer[],
  promised: number,
  directory: string,
): Promise<string | null> {
  const store = join(directory, 'after');
  rmSync(store, { recursive: true, force: true });
  mkdirSync(store);
  for (const [i, file] of FILES.entries()) {
    const image = images[i] ?? Buffer.alloc(0);
    if (image.length > 0) writeFileSync(join(store, file), image);
  }
  try {
    const storage = await LmdbStorage.open(store);
    try {
      const { meta, records } = storage.load();
      const texts = new Map(
        Array.from(records, ({ slot, bytes }) => [slot, Buffer.from(bytes).toString().trim()]),
      );
      const last = meta?.sequence ?? 0;
      if (last < promised) return `batch ${promised} was promised, ${last} is the last`;
      for (const slot of [0, 1, 2]) if (texts.get(slot) !== String(last)) return `half of batch ${last}`;
      for (let n = 1; n <= last; n += 1) if (texts.get(n + 10) !== String(n)) return `batch ${n} is gone`;
      return null;
    } finally {
      await storage.close();
    }
  } catch (error) {
    return String(error);
  }
}
