import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BUDGET_MS = 20_000;
const INSPECTOR_PORT = 9229;
const OLD_TOKEN = 'old-token-of-the-operator';
const NEW_TOKEN = 'new-token-of-the-operator';

describe('signals of a node', () => {
  let node: NodeProcess;
  let url: string;
  let env: Readonly<Record<string, string>>;

  beforeEach(async () => {
    node = new NodeProcess();
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    env = environment(port, {});
  });

  afterEach(() => node.close());

  it('SIGHUP opens the log file anew where it was moved away', async () => {
    const file = join(node.directory, 'node.log');
    node.start({ ...env, AETHEL_LOG_FILE: file });
    await node.says('LATTICE READY', BUDGET_MS);
    await until(async () => (readFileSync(file, 'utf8').includes('LATTICE READY') ? true : null), [node]);
    renameSync(file, `${file}.1`);
    node.kill('SIGHUP');
    await until(async () => (readFileSync(file, 'utf8').includes('Reloaded') ? true : null), [node]);
    expect(readFileSync(`${file}.1`, 'utf8')).not.toContain('Reloaded');
    expect((await talk(keyUrl(url, 'key'), 'PUT', { value: 1 })).status).toBe(201);
  });

  it('SIGHUP takes over the token and the log, and names what needs a restart', async () => {
    const file = join(node.directory, 'later.log');
    const settings = (token: string, more = ''): void =>
      writeFileSync(join(node.directory, '.env'), `AETHEL_API_TOKEN=${token}\n${more}`);
    settings(OLD_TOKEN);
    node.start(env);
    await node.says('LATTICE READY', BUDGET_MS);
    const put = async (token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` };
      return (await talk(keyUrl(url, 'key'), 'PUT', { value: 1 }, headers)).status;
    };
    expect(await put(OLD_TOKEN)).toBe(201);
    settings(
      NEW_TOKEN,
      `AETHEL_LOG_FILE=${file}\nAETHEL_LOG_FORMAT=json\nAETHEL_LOG_LEVEL=debug\nAETHEL_NODE_NAME=other\n`,
    );
    node.kill('SIGHUP');
    await node.says('Settings that were changed need a restart', BUDGET_MS);
    expect(await put(OLD_TOKEN)).toBe(401);
    expect(await put(NEW_TOKEN)).toBe(200);
    const lines = await until(async () => {
      const read = readFileSync(file, 'utf8').trimEnd().split('\n');
      return read.length > 1 ? read.map((line): unknown => JSON.parse(line)) : null;
    }, [node]);
    expect(lines[0]).toMatchObject({
      message: 'Reloaded',
      changed: ['AETHEL_API_TOKEN', 'AETHEL_LOG_LEVEL', 'AETHEL_LOG_FORMAT', 'AETHEL_LOG_FILE'],
    });
    expect(lines[1]).toMatchObject({ level: 'warn', settings: ['AETHEL_NODE_NAME'] });
    expect(node.output + readFileSync(file, 'utf8')).not.toContain(NEW_TOKEN);
  });

  it('SIGHUP with settings that are wrong says what is wrong, and keeps the old ones', async () => {
    const settings = join(node.directory, '.env');
    writeFileSync(settings, `AETHEL_API_TOKEN=${OLD_TOKEN}\n`);
    node.start(env);
    await node.says('LATTICE READY', BUDGET_MS);
    writeFileSync(settings, `AETHEL_API_TOKEN=${NEW_TOKEN}\nAETHEL_LOG_LEVEL=loud\n`);
    node.kill('SIGHUP');
    await node.says('Reload failed, the old settings stay', BUDGET_MS);
    expect(node.output).toContain('AETHEL_LOG_LEVEL');
    const put = (token: string): ReturnType<typeof talk> =>
      talk(keyUrl(url, 'key'), 'PUT', { value: 1 }, { authorization: `Bearer ${token}` });
    expect((await put(OLD_TOKEN)).status).toBe(201);
    expect((await put(NEW_TOKEN)).status).toBe(401);
  });

  it('SIGUSR1 opens no debugger, and SIGUSR2 does not end it', async () => {
    const wasOpen = await isOpen(INSPECTOR_PORT);
    node.start(env);
    await node.says('LATTICE READY', BUDGET_MS);
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      node.kill(signal);
      await node.says(`${signal} is ignored`, BUDGET_MS);
    }
    expect(await isOpen(INSPECTOR_PORT)).toBe(wasOpen);
    expect(node.output).not.toContain('Debugger listening');
    expect((await talk(`${url}/health`)).status).toBe(200);
  });

  it('SIGQUIT stops it as SIGTERM does', async () => {
    node.start(env);
    await node.says('LATTICE READY', BUDGET_MS);
    node.kill('SIGQUIT');
    expect(await node.ended(5_000)).toBe(0);
    expect(node.output).toContain('[STARTUP] Stopped');
    expect(existsSync(join(node.directory, 'core'))).toBe(false);
  });
});

function isOpen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
