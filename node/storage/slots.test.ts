import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { takeSlot, type Slot } from './slots.ts';

const TAKER = fileURLToPath(new URL('slot-taker.fixture.ts', import.meta.url));

describe('slots', () => {
  let parent: string;
  let dir: string;
  let held: Slot[];
  let children: ChildProcess[];
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'aethel-slots-'));
    dir = join(parent, 'state');
    held = [];
    children = [];
  });
  afterEach(async () => {
    for (const slot of held) slot.release();
    await Promise.all(children.map((child) => end(child, 'SIGKILL')));
    rmSync(parent, { recursive: true, force: true });
  });

  const take = async (place: number | null = null, patienceMs = 50): Promise<Slot> => {
    const slot = await takeSlot({ dir, place, patienceMs });
    held.push(slot);
    return slot;
  };
  /** A replica that lived once: its slot holds state, and is free. */
  const leave = (...numbers: readonly number[]): void => {
    for (const number of numbers) {
      mkdirSync(join(dir, `slot-${number}`), { recursive: true });
      writeFileSync(join(dir, `slot-${number}`, 'identity.key'), 'x');
    }
  };
  const start = (...args: readonly string[]): ChildProcess => {
    const child = fork(TAKER, [dir, ...args], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(child);
    return child;
  };

  it('are taken lowest first, each once', async () => {
    expect((await take()).number).toBe(0);
    expect((await take()).number).toBe(1);
    held[0]?.release();
    expect((await take()).number).toBe(0);
    expect((await take()).number).toBe(2);
  });

  it('are directories for the user alone', async () => {
    const slot = await take();
    expect(slot.dir).toBe(join(dir, 'slot-0'));
    expect(statSync(slot.dir).mode & 0o777).toBe(0o700);
  });

  it('say whether they hold state, and which others do', async () => {
    leave(0, 2);
    expect(await take(0)).toMatchObject({ number: 0, isNew: false, others: [other(2)] });
    expect(await take()).toMatchObject({ number: 2, isNew: false, others: [other(0)] });
    expect(await take()).toMatchObject({ number: 1, isNew: true, others: [other(0), other(2)] });
  });

  it('go to the replica of their number', async () => {
    leave(0, 1, 2);
    expect((await take(2)).number).toBe(2);
    expect((await take(0)).number).toBe(0);
    expect((await take(0)).number).toBe(1);
    expect((await take(0)).number).toBe(3);
  });

  it('are not left without a server while one that is new could have them', async () => {
    leave(0, 1);
    expect(await take(6)).toMatchObject({ number: 0, isNew: false });
  });

  it('are left to those that had them by a replica that starts earlier', async () => {
    leave(0, 1);
    const newcomer = takeSlot({ dir, place: 2, patienceMs: 20_000 });
    expect((await take(1)).number).toBe(1);
    expect((await take(0)).number).toBe(0);
    held.push(await newcomer);
    expect(held.at(-1)).toMatchObject({ number: 2, isNew: true });
  });

  it('need a directory that can be made', async () => {
    writeFileSync(join(parent, 'file'), '');
    const taken = takeSlot({ dir: join(parent, 'file'), place: null });
    await expect(taken).rejects.toMatchObject({ name: 'StorageFailedError' });
  });

  it('are taken by twenty processes at once, each its own', async () => {
    const said = await Promise.all(Array.from({ length: 20 }, () => saidBy(start())));
    expect(said.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual([...Array(20).keys()]);
  }, 60_000);

  it('are free once their holder was killed, and stay taken while it is frozen', async () => {
    const [first, second] = [start('0', 'state'), start('1', 'state')];
    await Promise.all([saidBy(first), saidBy(second)]);
    second.kill('SIGSTOP');
    await end(first, 'SIGKILL');
    expect(await take()).toMatchObject({ number: 0, isNew: false });
    expect((await take()).number).toBe(2);
    await end(second, 'SIGKILL');
    expect((await take()).number).toBe(1);
  }, 60_000);
});

function other(number: number): unknown {
  return { number, since: expect.any(Number) };
}

interface Said {
  readonly number: number;
}

async function saidBy(child: ChildProcess): Promise<Said> {
  const [message] = await once(child, 'message');
  return message as Said;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}
