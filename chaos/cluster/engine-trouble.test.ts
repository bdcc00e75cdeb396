import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { troubleHere, troubleWithDockerHost } from './engine-trouble.ts';
import type { EngineTrouble } from './engine-trouble.ts';

describe('an engine that is not to be reached', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'aethel-engine-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const at = (DOCKER_HOST: string): Promise<EngineTrouble | null> => troubleWithDockerHost({ DOCKER_HOST });

  it.each(['tcp//192.0.2.1', '127.0.0.1:2375', '/var/run/docker.sock', 'unix://', 'tcp://'])(
    'by the address %s, which is none',
    async (address) => {
      expect((await at(address))?.what).toMatch(/which (is not an address like|names no) /);
    },
  );

  it('by a scheme that the lab does not speak, and without repeating a password', async () => {
    const trouble = await at('ssh://somebody:hunter2@192.0.2.1');
    expect(trouble?.what).toContain('the lab cannot reach an engine by ssh://');
    expect(JSON.stringify(trouble)).not.toContain('hunter2');
  });

  it('by a socket that is missing, or no socket, or that nobody listens at', async () => {
    expect((await at(`unix://${directory}/none.sock`))?.what).toContain('that socket is not there');
    const file = path.join(directory, 'file');
    writeFileSync(file, '');
    expect((await at(`unix://${file}`))?.what).toContain(`${file} is not a socket`);
    const dead = path.join(directory, 'dead.sock');
    const die = `require('net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['--eval', die]).signal).toBe('SIGKILL');
    expect((await at(`unix://${dead}`))?.what).toContain(`nobody listens at ${dead}`);
  });

  it('by a port where nobody listens, and a name that does not resolve', async () => {
    const server = createSocketServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    expect((await at(`tcp://127.0.0.1:${port}`))?.what).toContain(`nobody listens at 127.0.0.1:${port}`);
    expect((await at('tcp://engine.invalid:2375'))?.what).toContain(
      'the name engine.invalid does not resolve',
    );
  });

  it('because somebody else answers, or because it wants TLS', async () => {
    const asked = async (status: number): Promise<string | undefined> => {
      const server = createServer((_request, response) => response.writeHead(status).end());
      const address = await listening(server);
      const trouble = await at(address).finally(() => server.close());
      return trouble === null ? undefined : `${trouble.what}: ${trouble.wayOut}`;
    };
    expect(await asked(200)).toContain('is no Docker engine (200)');
    expect(await asked(400)).toContain('wants TLS: set DOCKER_TLS_VERIFY=1');
  });

  it('because this user may not use its socket, and names the group that may', () => {
    const socket = path.join(directory, 'docker.sock');
    const program = `
      import { createServer } from 'node:net';
      import { chmodSync } from 'node:fs';
      import { troubleWithDockerHost } from ${JSON.stringify(fileURLToPath(new URL('engine-trouble.ts', import.meta.url)))};
      createServer().listen(${JSON.stringify(socket)}, async () => {
        chmodSync(${JSON.stringify(socket)}, 0);
        if (process.getuid() === 0) process.setuid(65534);
        console.log(JSON.stringify(await troubleWithDockerHost({ DOCKER_HOST: ${JSON.stringify(`unix://${socket}`)} })));
        process.exit();
      });`;
    chmodSync(directory, 0o755);
    const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      timeout: 20_000,
    });
    const { what, wayOut } = JSON.parse(said.toString()) as EngineTrouble;
    expect(what).toMatch(/user \d+ may not use .*docker\.sock/);
    expect(wayOut).toMatch(/usermod -aG \w+ \$USER/);
  });
});

it('finds no fault with an engine that answers, or with an address that is not set', async () => {
  const server = createServer((_request, response) => response.setHeader('Api-Version', '1.45').end('OK'));
  const address = await listening(server);
  expect(await troubleWithDockerHost({ DOCKER_HOST: address }).finally(() => server.close())).toBeNull();
  expect(await troubleWithDockerHost({ DOCKER_HOST: '' })).toBeNull();
});

it('has a way out, and the world without an engine, where DOCKER_HOST says nothing', async () => {
  const { what, wayOut } = await troubleHere({});
  expect(what).toMatch(/^no Docker engine: /);
  expect(wayOut).toContain('--cluster processes');
});

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
