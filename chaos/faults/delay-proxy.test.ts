import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../cluster/ports.ts';
import { poll } from '../cluster/poll.ts';

const PROXY = fileURLToPath(new URL('./delay-proxy.pl', import.meta.url));
const MS = 60;
const JITTER_MS = 20;
const BUDGET = { everyMs: 20, budgetMs: 15_000 };

/** Perl and the kernel's own numbers: the proxy runs in Debian containers. */
const describeOnLinux = process.platform === 'linux' ? describe : describe.skip;

describeOnLinux('the proxy of a delay', () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'aethel-delay-'));
  const nft = path.join(directory, 'nft');
  const countFile = path.join(directory, 'count');
  const greeter = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.write('hello ');
    socket.pipe(socket);
  });
  let proxy: ChildProcess;
  let port = 0;

  beforeAll(async () => {
    greeter.listen(0, '127.0.0.1');
    await once(greeter, 'listening');
    const { port: target } = greeter.address() as net.AddressInfo;
    [port = 0] = await freePorts(1);
    // stands in for the kernel's set of leases
    lease('elements = { tcp }');
    proxy = spawn(
      'perl',
      [PROXY, 'aethel_lab_1', countFile, ...[port, '127.0.0.1', target, MS, JITTER_MS].map(String)],
      {
        env: { ...process.env, PATH: `${directory}:${process.env['PATH'] ?? ''}` },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    if (proxy.stdout === null) throw new Error('no stdout');
    const [said] = (await once(proxy.stdout, 'data')) as [Buffer];
    expect(String(said)).toBe('ready\n');
  });
  afterAll(() => {
    proxy.kill('SIGKILL');
    greeter.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function lease(listing: string): void {
    writeFileSync(nft, `#!/bin/sh\necho '${listing}'\n`);
    chmodSync(nft, 0o755);
  }

  async function dialled(): Promise<net.Socket> {
    const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  }

  it('passes on what is said, later, and counts it', async () => {
    const startedAt = performance.now();
    const socket = await dialled();
    await once(socket, 'data');
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(MS - JITTER_MS);
    socket.destroy();
    const count = await poll(async () => Number(readFileSync(countFile, 'utf8')) || null, BUDGET);
    expect(count).toBeGreaterThan(0);
  });

  it('passes on more than it may hold, in order, and the end after it', async () => {
    const socket = await dialled();
    const sent = Buffer.alloc(3_000_000, 'the same words in the same order ');
    socket.end(sent);
    const heard: Buffer[] = [];
    for await (const chunk of socket) heard.push(chunk as Buffer);
    expect(Buffer.concat(heard).equals(Buffer.concat([Buffer.from('hello '), sent]))).toBe(true);
  });

  it('tells a reset at once, and lives on', async () => {
    const first = await dialled();
    first.resetAndDestroy();
    const second = await dialled();
    await once(second, 'data');
    second.destroy();
  });

  it('resets whom it cannot connect, and lives on', async () => {
    await new Promise((resolve) => greeter.close(resolve));
    // The reset may be there as soon as the connection is.
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.resume();
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    expect(proxy.exitCode).toBeNull();
  });

  it('ends when its lease has run out', async () => {
    lease('nothing');
    expect(await poll(async () => proxy.exitCode, BUDGET)).toBe(0);
  });
});
