import { withoutInjected } from './injected.ts';

describe('what an engine injects', () => {
  it.each([
    ['a service called aethel', 'AETHEL_SERVICE_HOST', '10.0.0.1'],
    ['its ports', 'AETHEL_SERVICE_PORT', '8000'],
    ['a port with a name', 'AETHEL_SERVICE_PORT_HTTP', '8000'],
    ['a link', 'AETHEL_PORT', 'tcp://10.0.0.1:8000'],
    ['a port of it', 'AETHEL_PORT_8000_TCP', 'tcp://10.0.0.1:8000'],
    ['its protocol', 'AETHEL_PORT_8000_TCP_PROTO', 'tcp'],
    ['its number', 'AETHEL_PORT_9000_UDP_PORT', '9000'],
    ['its address', 'AETHEL_PORT_8000_TCP_ADDR', '10.0.0.1'],
    ['a service called aethel-node', 'AETHEL_NODE_PORT', 'tcp://10.0.0.1:8000'],
    ['its host', 'AETHEL_NODE_SERVICE_HOST', '10.0.0.1'],
    ['a service whose port is a setting', 'AETHEL_HTTP_PORT', 'tcp://10.0.0.1:8000'],
    ['a range of a link', 'AETHEL_PORT_8000_TCP_START', 'tcp://10.0.0.1:8000'],
    ['the name of a link', 'AETHEL_NODE_NAME', '/consumer/aethel-node'],
  ])('is left out: %s', (_what, name, value) => {
    const { given, injected } = withoutInjected({ [name]: value, PATH: '/bin' });
    expect([given, injected]).toEqual([{ PATH: '/bin' }, [name]]);
  });

  it('is left out where a link passes on the environment of a container', () => {
    const env = { AETHEL_DB_NAME: '/web/aethel-db', AETHEL_DB_ENV_PATH: '/bin', AETHEL_DB_ENV_X: '1' };
    expect(withoutInjected(env).injected).toEqual([
      'AETHEL_DB_ENV_PATH',
      'AETHEL_DB_ENV_X',
      'AETHEL_DB_NAME',
    ]);
  });

  it.each([
    ['AETHEL_HTTP_PORT', '8000'],
    ['AETHEL_PORT', '8000'],
    ['AETHEL_NODE_NAME', 'node-1'],
    ['AETHEL_ENV_FILE', '.env.nodeA'],
    ['AETHEL_SERVICE', 'x'],
  ])('is not %s=%s', (name, value) => {
    expect(withoutInjected({ [name]: value }).injected).toEqual([]);
  });
});
