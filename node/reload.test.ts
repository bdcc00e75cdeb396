import { loadConfig } from './config.ts';
import type { Config } from './config.ts';
import { planReload } from './reload.ts';

const KEY = '7f'.repeat(32);

it('takes over what can be exchanged in a running node', () => {
  const plan = planReload(
    read({ AETHEL_API_TOKEN: 'the-token-of-before' }),
    read({ AETHEL_API_TOKEN: 'the-token-of-now-on', AETHEL_LOG_LEVEL: 'debug', AETHEL_LOG_FILE: 'a.log' }),
  );
  expect(plan.config).toMatchObject({
    api: { token: 'the-token-of-now-on' },
    log: { level: 'debug', file: 'a.log' },
  });
  expect(plan.changed).toEqual(['AETHEL_API_TOKEN', 'AETHEL_LOG_LEVEL', 'AETHEL_LOG_FILE']);
  expect(plan.needRestart).toEqual([]);
});

it.each([
  ['AETHEL_CLUSTER_KEY', '7e'.repeat(32)],
  ['AETHEL_HTTP_PORT', '8123'],
  ['AETHEL_P2P_BOOTSTRAP', '/ip4/192.0.2.1/tcp/9000'],
  ['AETHEL_LATTICE_NODES', 'http://192.0.2.1:8000'],
  ['AETHEL_API_INSECURE', 'true'],
  ['NO_PROXY', '*'],
])('leaves %s as it is and says that it needs a restart', (name, value) => {
  const running = read({});
  const plan = planReload(running, read({ [name]: value }));
  expect(plan.config).toEqual(running);
  expect(plan.changed).toEqual([]);
  expect(plan.needRestart).toEqual([name]);
});

it('does not open writes because a token is gone', () => {
  const running = read({ AETHEL_API_TOKEN: 'the-token-of-before' });
  const plan = planReload(running, read({}));
  expect(plan.config.api.token).toBe('the-token-of-before');
  expect(plan.needRestart).toEqual(['AETHEL_API_TOKEN']);
});

function read(env: Readonly<Record<string, string>>): Config {
  return loadConfig({ AETHEL_CLUSTER_KEY: KEY, ...env }, () => {
    throw Object.assign(new Error('none'), { code: 'ENOENT' });
  });
}
