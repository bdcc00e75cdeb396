/** A node whose surroundings fail: whoever reads its log stops or goes, a disk is full, a resolver never answers, descriptors are few. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BUDGET_MS = 20_000;

describe('a node', () => {
  let node: NodeProcess;
  let url: string;
  let env: Readonly<Record<string, string>>;
  const cleanUps: (() => void)[] = [];

  beforeEach(async () => {
    node = new NodeProcess();
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    env = environment(port, {});
  });

  afterEach(async () => {
    await node.halt();
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
    await node.close();
  });

  it('lives on when whoever read its output is gone, counts what is lost, and stops with 0', async () => {
    node.start(env);
    await node.says('LATTICE READY', BUDGET_MS);
    node.closeOutput();
    await until(async () => {
      node.kill('SIGUSR2');
      return (await droppedLines(url, 'stdout', 'gone')) > 1 ? true : null;
    }, [node]);
    expect((await talk(keyUrl(url, 'key'), 'PUT', { value: 1 })).status).toBe(201);
    node.kill('SIGTERM');
    expect(await node.ended(5_000)).toBe(0);
  });

  it('is not held up by a terminal that is stopped (Ctrl-S), and tells everything when it goes on (Ctrl-Q)', async () => {
    if (isMissing('script')) return skipped('a terminal: there is no `script` here');
    const pidFile = join(node.directory, 'pid');
    const inside = `stty ixon; echo $$ > "${pidFile}"; exec "$NODE" "$MAIN"`;
    const outside = `NODE=$1 MAIN=$2 exec script -qfec '${inside}' /dev/null`;
    node.start(env, [], ['sh', '-c', outside, 'sh']);
    await node.says('LATTICE READY', BUDGET_MS);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    node.type('\u0013');
    const told = (): number => node.output.split('SIGUSR2 is ignored').length - 1;
    // The terminal stops in its own time: until then lines arrive.
    let sent = 0;
    await until(async () => {
      const before = told();
      process.kill(pid, 'SIGUSR2');
      sent += 1;
      expect((await talk(keyUrl(url, `key-${sent}`), 'PUT', { value: 1 })).status).toBe(201);
      return sent > 5 && told() === before ? true : null;
    }, [node]);
    for (let n = 0; n < 5; n += 1) {
      process.kill(pid, 'SIGUSR2');
      expect((await talk(keyUrl(url, `stopped-${n}`), 'PUT', { value: 1 })).status).toBe(201);
    }
    const whileStopped = told();
    node.type('\u0011');
    await until(async () => (told() > whileStopped ? true : null), [node]);
    node.type('\u0013');
    process.kill(pid, 'SIGTERM');
    expect(await node.ended(5_000)).toBe(0);
  });

  it('goes on with a log file whose disk was full', async () => {
    const disk = join(node.directory, 'disk');
    mkdirSync(disk);
    if (!mounted('-t', 'tmpfs', '-o', 'size=64k', 'aethel-test', disk))
      return skipped('a full disk: mounting a tmpfs is not permitted here');
    cleanUps.push(() => execFileSync('umount', [disk]));
    const file = join(disk, 'node.log');
    const filler = join(disk, 'filler');
    node.start({ ...env, AETHEL_LOG_FILE: file });
    await node.says('LATTICE READY', BUDGET_MS);
    fill(filler);
    await until(async () => {
      node.kill('SIGUSR2');
      return node.output.includes('log lines cannot be written  sink=file reason=full code=ENOSPC')
        ? true
        : null;
    }, [node]);
    expect((await talk(keyUrl(url, 'key'), 'PUT', { value: 1 })).status).toBe(201);
    const size = statSync(file).size;
    rmSync(filler);
    await until(async () => (statSync(file).size > size ? true : null), [node]);
    node.kill('SIGTERM');
    expect(await node.ended(5_000)).toBe(0);
    expect(readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)).toMatch(/\[STARTUP\] Stopped$/);
  });

  it('serves while its resolver never answers, and stops within five seconds', async () => {
    const resolver = createSocket('udp4');
    try {
      resolver.bind(53, '127.53.17.1');
      await once(resolver, 'listening');
    } catch {
      return skipped('a resolver: its port is not permitted here');
    }
    cleanUps.push(() => resolver.close());
    const resolv = join(node.directory, 'resolv.conf');
    writeFileSync(resolv, 'nameserver 127.53.17.1\n');
    const inside = 'mount --bind "$RESOLV" /etc/resolv.conf && exec "$@"';
    if (!mounted('--bind', resolv, resolv)) return skipped('a resolver: mounts are not permitted here');
    execFileSync('umount', [resolv]);
    const peers = [1, 2, 3, 4, 5, 6].map((n) => `http://member-${n}.lattice.test:8000`);
    const more = {
      AETHEL_DISCOVERY_DNS: 'nodes.lattice.test',
      AETHEL_LATTICE_NODES: peers.join(','),
      AETHEL_P2P_ENABLED: 'true',
      AETHEL_P2P_LISTEN: '/ip4/127.0.0.1/tcp/0',
      AETHEL_P2P_BOOTSTRAP: '/dns4/seed.lattice.test/tcp/9000',
    };
    node.start({ ...env, ...more, RESOLV: resolv }, [], ['unshare', '-m', 'sh', '-c', inside, 'sh']);
    const asked = once(resolver, 'message');
    await node.says('LATTICE READY', BUDGET_MS);
    await asked;
    expect((await talk(keyUrl(url, 'key'), 'PUT', { value: 1 })).status).toBe(201);
    node.kill('SIGTERM');
    expect(await node.ended(5_000)).toBe(0);
    expect(node.output).toContain('[STARTUP] Stopped');
  });

  it('says in one line that it has too few file descriptors, and exits 2', async () => {
    node.start(env, [], ['sh', '-c', 'ulimit -n 24; exec "$@"', 'sh']);
    expect(await node.ended(BUDGET_MS)).toBe(2);
    expect(node.output).toMatch(/^aethel: file descriptors: 24 allowed, about \d+ needed.*\n$/);
  });

  it('outlives clients that take every file descriptor', async () => {
    node.start(env, [], ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh']);
    await node.says('LATTICE READY', BUDGET_MS);
    const answers = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) => talk(keyUrl(url, `key-${n}`), 'PUT', { value: 1 })),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    await until(
      async () => ((await talk(keyUrl(url, 'later'), 'PUT', { value: 1 })).status < 300 ? true : null),
      [node],
    );
    node.kill('SIGTERM');
    expect(await node.ended(5_000)).toBe(0);
  });
});

async function droppedLines(url: string, sink: string, reason: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = new RegExp(
    `^aethel_log_lines_dropped_total\\{sink="${sink}",reason="${reason}"\\} (\\d+)`,
    'm',
  ).exec(text)?.[1];
  if (found === undefined) throw new Error('no such metric');
  return Number(found);
}

function isMissing(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}

function mounted(...words: readonly string[]): boolean {
  try {
    execFileSync('mount', [...words], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Block by block, then byte by byte, until there is no room. */
function fill(file: string): void {
  for (const bytes of [4_096, 1]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
    } catch (error) {
      if (!String(error).includes('ENOSPC')) throw error;
    }
  }
}

function skipped(what: string): void {
  process.stdout.write(`SKIPPED: ${what}\n`);
}
