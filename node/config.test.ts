import fc from 'fast-check';
import { ConfigError, inspectConfig, lineOf, loadConfig } from './config.ts';
import type { Config, Inspection } from './config.ts';
import type { Env } from './config/values.ts';

const KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN';

describe('defaults', () => {
  it('needs nothing but the cluster key', () => {
    const config = load({});
    expect(config).toMatchObject({
      http: { host: '127.0.0.1', port: 8000 },
      p2p: {
        enabled: true,
        listen: ['/ip4/0.0.0.0/tcp/9000'],
        topic: 'aethel/lattice/v1',
        bootstrap: [],
        startTimeoutMs: 5000,
      },
      acceptedKey: null,
      clusterName: null,
      latticeNodes: [],
      discoveryDns: null,
      stateDir: './.aethel/state',
      stateSlots: null,
      clusterKeyFile: null,
      api: { token: null, insecure: false },
      heartbeatIntervalMs: 250,
      suspicionMs: 1000,
      httpPollIntervalMs: 10_000,
      proxies: { http: null, https: null, exempt: [] },
      log: { level: 'info', format: 'pretty', file: null },
      envFile: null,
      warnings: [],
    });
    expect(Buffer.from(config.clusterKey).toString('hex')).toBe(KEY);
  });

  it('is frozen to the depth', () => {
    const config = load({ AETHEL_P2P_BOOTSTRAP: '/dns4/node/tcp/9000' });
    for (const part of [config, config.http, config.p2p, config.p2p.bootstrap, config.api, config.log]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('makes 32 bytes of any cluster key, the same of the same', () => {
    const key = (text: string): string =>
      Buffer.from(load({ AETHEL_CLUSTER_KEY: text }).clusterKey).toString('hex');
    expect(key('correct horse battery')).toHaveLength(64);
    expect(key('correct horse battery')).toBe(key(' correct horse battery\n'));
    expect(key('correct horse battery')).not.toBe(key('correct horse batterz'));
    expect(key(KEY.toUpperCase())).toBe(KEY);
  });
});

describe('good values', () => {
  it.each<[string, Env, (config: Config) => unknown, unknown]>([
    [
      'lists by commas and white space, once each',
      { AETHEL_LATTICE_NODES: 'http://a:1, https://B:2/\n http://a:1 ,' },
      (c) => c.latticeNodes,
      ['http://a:1', 'https://b:2'],
    ],
    [
      'an IPv6 URL',
      { AETHEL_LATTICE_NODES: 'http://[::1]:8000' },
      (c) => c.latticeNodes,
      ['http://[::1]:8000'],
    ],
    [
      'a multiaddr with a peer id',
      { AETHEL_P2P_BOOTSTRAP: `/ip6/::1/tcp/9000/p2p/${PEER}` },
      (c) => c.p2p.bootstrap,
      [`/ip6/::1/tcp/9000/p2p/${PEER}`],
    ],
    [
      'a compose name',
      { AETHEL_P2P_BOOTSTRAP: '/dns/my_app-node-1/tcp/9000' },
      (c) => c.p2p.bootstrap,
      ['/dns/my_app-node-1/tcp/9000'],
    ],
    [
      'DNS names that end in a dot, as one name with those that do not',
      {
        AETHEL_LATTICE_NODES: 'http://node.example.:8000 http://node.example:8000',
        AETHEL_P2P_BOOTSTRAP: `/dns4/node.example./tcp/9000/p2p/${PEER} /dns/node./tcp/1`,
        AETHEL_DISCOVERY_DNS: 'node.default.svc.cluster.local.',
        AETHEL_HTTP_HOST: 'localhost.',
      },
      (c) => [c.latticeNodes, c.p2p.bootstrap, c.discoveryDns, c.http.host],
      [
        ['http://node.example:8000'],
        [`/dns4/node.example/tcp/9000/p2p/${PEER}`, '/dns/node/tcp/1'],
        'node.default.svc.cluster.local.',
        'localhost',
      ],
    ],
    ['the longest name of a pod', { AETHEL_NODE_NAME: 'x'.repeat(253) }, (c) => c.nodeName.length, 253],
    [
      'any free port',
      { AETHEL_HTTP_PORT: '0', AETHEL_P2P_LISTEN: '/ip4/127.0.0.1/tcp/0' },
      (c) => [c.http.port, c.p2p.listen],
      [0, ['/ip4/127.0.0.1/tcp/0']],
    ],
    [
      'flags in other words',
      { AETHEL_P2P_ENABLED: 'Off', AETHEL_API_INSECURE: '1' },
      (c) => [c.p2p.enabled, c.api.insecure],
      [false, true],
    ],
    [
      'an empty variable as absent',
      { AETHEL_LOG_FILE: '', AETHEL_LOG_LEVEL: ' ' },
      (c) => [c.log.file, c.log.level],
      [null, 'info'],
    ],
    [
      'proxies, by either name, with a password and without a scheme',
      {
        https_proxy: 'http://u:p@proxy:3128',
        HTTPS_PROXY: 'http://other',
        HTTP_PROXY: 'proxy:3128',
        no_proxy: '',
        AETHEL_LATTICE_NODES: 'http://a https://a',
      },
      (c) => c.proxies,
      { http: 'http://proxy:3128/', https: 'http://u:p@proxy:3128/', exempt: [] },
    ],
    [
      'who is asked without a proxy',
      { NO_PROXY: 'localhost, .example.org,10.0.0.0/8 192.0.2.1-192.0.2.9,[::1]:80,*' },
      (c) => c.proxies.exempt,
      ['localhost', '.example.org', '10.0.0.0/8', '192.0.2.1-192.0.2.9', '[::1]:80', '*'],
    ],
    ['the names of the lab', { AETHEL_LAB_REDIRECT: '{}', AETHEL_BASE_IMAGE: 'x' }, (c) => c.http.port, 8000],
    ["other programs' variables", { PATH: '/bin', __proto__x: '1' }, (c) => c.http.port, 8000],
  ])('takes %s', (_name, env, read, wanted) => {
    expect(read(load(env))).toEqual(wanted);
  });
});

describe('bad values', () => {
  it.each([
    ['AETHEL_NODE_NAME', 'a b'],
    ['AETHEL_NODE_NAME', 'x'.repeat(254)],
    ['AETHEL_HTTP_HOST', 'http://x'],
    ['AETHEL_HTTP_HOST', '256.1.1.1'],
    ['AETHEL_HTTP_PORT', '65536'],
    ['AETHEL_HTTP_PORT', '-1'],
    ['AETHEL_HTTP_PORT', '80.5'],
    ['AETHEL_HTTP_PORT', '0x50'],
    ['AETHEL_HTTP_PORT', 'http'],
    ['AETHEL_P2P_ENABLED', 'perhaps'],
    ['AETHEL_P2P_LISTEN', '0.0.0.0:9000'],
    ['AETHEL_P2P_LISTEN', '/ip4/0.0.0.0/udp/9000'],
    ['AETHEL_P2P_LISTEN', '/dns4/node/tcp/9000'],
    ['AETHEL_P2P_LISTEN', '/ip4/0.0.0.0/tcp/65536'],
    ['AETHEL_P2P_LISTEN', '/ip4/0.0.0.0/tcp/9000/ws'],
    ['AETHEL_P2P_LISTEN', `/ip4/0.0.0.0/tcp/9000/p2p/${PEER}`],
    ['AETHEL_P2P_TOPIC', 'a topic'],
    ['AETHEL_P2P_TOPIC', 't'.repeat(129)],
    ['AETHEL_P2P_BOOTSTRAP', '/ip4/10.0.0.1/tcp/0'],
    ['AETHEL_P2P_BOOTSTRAP', '/ip4/10.0.0/tcp/9000'],
    ['AETHEL_P2P_BOOTSTRAP', '/ip6/fe80::1%eth0/tcp/9000'],
    ['AETHEL_P2P_BOOTSTRAP', '/ip4/10.0.0.1/tcp/9000/p2p'],
    ['AETHEL_P2P_BOOTSTRAP', '/ip4/10.0.0.1/tcp/9000/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'],
    ['AETHEL_P2P_BOOTSTRAP', '/ip4/10.0.0.1/tcp/9000 nonsense'],
    ['AETHEL_P2P_START_TIMEOUT_MS', '1'],
    ['AETHEL_LATTICE_NODES', 'node:8000'],
    ['AETHEL_LATTICE_NODES', 'ftp://node'],
    ['AETHEL_LATTICE_NODES', 'http://node/path'],
    ['AETHEL_LATTICE_NODES', 'http://node/?q'],
    ['AETHEL_LATTICE_NODES', 'http://user:pw@node'],
    ['AETHEL_LATTICE_NODES', 'http://'],
    ['AETHEL_LATTICE_NODES', Array.from({ length: 257 }, (_, i) => `http://n${i}`).join(',')],
    ['AETHEL_DISCOVERY_DNS', 'node:8000'],
    ['AETHEL_DISCOVERY_DNS', '10.0.0.1'],
    ['AETHEL_DISCOVERY_DNS', 'a..b'],
    ['AETHEL_DISCOVERY_DNS', 'a..'],
    ['AETHEL_DISCOVERY_DNS', '.'],
    ['AETHEL_LATTICE_NODES', 'http://.'],
    ['AETHEL_STATE_DIR', '"/var/lib/aethel"'],
    ['AETHEL_STATE_DIR', 'a\0b'],
    ['AETHEL_STATE_SLOTS', 'a\0b'],
    ['AETHEL_API_INSECURE', 'tru'],
    ['AETHEL_API_TOKEN', 'with spaces in the middle'],
    ['AETHEL_API_TOKEN', 'short'],
    ['AETHEL_API_TOKEN', ''],
    ['AETHEL_API_TOKEN', '  '],
    ['AETHEL_API_TOKEN_FILE', ' '],
    ['AETHEL_API_TOKEN', '"0123456789abcdef"'],
    ['AETHEL_CLUSTER_KEY', ''],
    ['AETHEL_CLUSTER_KEY', `${'x'.repeat(16)}\ufffd`],
    ['AETHEL_HEARTBEAT_INTERVAL_MS', '500'],
    ['AETHEL_HEARTBEAT_INTERVAL_MS', '1e2'],
    ['AETHEL_SUSPICION_MS', '0'],
    ['AETHEL_HTTP_POLL_INTERVAL_MS', '3600001'],
    ['AETHEL_LOG_LEVEL', 'verbose'],
    ['AETHEL_LOG_FORMAT', 'xml'],
    ['AETHEL_LOG_FILE', 'a\0b'],
    ['AETHEL_CLUSTER_KEY', 'fifteen bytes..'],
    ['AETHEL_CLUSTER_KEY', 'x'.repeat(1025)],
    ['AETHEL_CLUSTER_KEY', undefined],
    ['AETHEL_CLUSTER_KEY_FILE', '/run/secrets/key'],
    ['AETHEL_P2P_BOOSTRAP', '/ip4/10.0.0.1/tcp/9000'],
  ])('refuses %s=%j, and nothing else', (name, value) => {
    const wrong = name === 'AETHEL_CLUSTER_KEY_FILE' ? 'AETHEL_CLUSTER_KEY' : name;
    expect(problemsOf({ [name]: value }).map((problem) => problem.name)).toEqual([wrong]);
  });

  it('tells all problems at once', () => {
    const names = problemsOf({
      AETHEL_CLUSTER_KEY: undefined,
      AETHEL_HTTP_PORT: 'x',
      AETHEL_P2P_LISTEN: 'x',
      AETHEL_LOG_LEVEL: 'x',
      AETHEL_HEARTBEAT_INTERVAL_MS: '900',
      AETHEL_API_TOKEN: 'x',
      AETHEL_HTP_PORT: '1',
    }).map(({ name }) => name);
    expect(names.sort()).toEqual([
      'AETHEL_API_TOKEN',
      'AETHEL_CLUSTER_KEY',
      'AETHEL_HEARTBEAT_INTERVAL_MS',
      'AETHEL_HTP_PORT',
      'AETHEL_HTTP_PORT',
      'AETHEL_LOG_LEVEL',
      'AETHEL_P2P_LISTEN',
    ]);
  });

  it('takes slots or a state directory, unless they are one and the same', () => {
    expect(load({ AETHEL_STATE_SLOTS: '/slots' }).stateSlots).toBe('/slots');
    expect(load({ AETHEL_STATE_SLOTS: '/slots', AETHEL_STATE_DIR: '/slots' }).stateSlots).toBe('/slots');
    const [problem] = problemsOf({ AETHEL_STATE_SLOTS: '/slots', AETHEL_STATE_DIR: '/state' });
    expect(problem?.name).toBe('AETHEL_STATE_SLOTS');
  });

  it('guesses what a misspelt name meant', () => {
    const [problem] = problemsOf({ AETHEL_CLUSTERKEY_FILE: '/x' });
    expect(problem?.problem).toContain('did you mean AETHEL_CLUSTER_KEY_FILE?');
    expect(problemsOf({ AETHEL_COLOUR_OF_MOON: '1' })[0]?.problem).not.toContain('did you mean');
  });

  it('never repeats a secret', () => {
    const secret = 'hunter2';
    const error = errorOf({ AETHEL_CLUSTER_KEY: secret, AETHEL_API_TOKEN: `${secret} ${secret} ${secret}` });
    expect(error.problems).toHaveLength(2);
    expect(error.message).not.toContain(secret);
  });

  it('repeats neither the password of a URL nor a secret that its name has swallowed', () => {
    const error = errorOf({
      AETHEL_LATTICE_NODES: 'http://user:hunter2@node',
      AETHEL_API_TOKENhunter2: '=',
    });
    expect(error.problems.map(({ name }) => name).sort()).toEqual([
      'AETHEL_API_TOKEN…',
      'AETHEL_LATTICE_NODES',
    ]);
    expect(error.message).not.toContain('hunter2');
  });

  it.each(['aethel_api_token', 'AETHEL-API-TOKEN', 'Aethel.Api.Token'])(
    'refuses a setting whose name is written %s',
    (name) => {
      expect(problemsOf({ [name]: '0123456789abcdef' })).toEqual([
        { name: 'AETHEL_API_TOKEN', problem: `is written ${name}, which is no setting` },
      ]);
    },
  );
});

describe('a second cluster key', () => {
  it('is taken beside the first, of as many bytes', () => {
    const { acceptedKey } = load({ AETHEL_CLUSTER_KEY_ACCEPTED: 'f'.repeat(64) });
    expect(Buffer.from(acceptedKey ?? []).toString('hex')).toBe('f'.repeat(64));
    expect(problemsOf({ AETHEL_CLUSTER_KEY_ACCEPTED: 'short' })).toHaveLength(1);
    const alone = problemsOf({ AETHEL_CLUSTER_KEY: undefined, AETHEL_CLUSTER_KEY_ACCEPTED: KEY });
    expect(alone.map(({ name }) => name)).toEqual(['AETHEL_CLUSTER_KEY']);
  });

  it('is told where it is the first one', () => {
    const { warnings } = inspect({ AETHEL_CLUSTER_KEY_ACCEPTED: KEY.toUpperCase() });
    expect(warnings.map(({ name }) => name)).toEqual(['AETHEL_CLUSTER_KEY_ACCEPTED']);
  });
});

describe('what engines inject', () => {
  it('is ignored, and told once', () => {
    const { config, warnings } = inspect({
      AETHEL_SERVICE_HOST: '10.0.0.1',
      AETHEL_PORT: 'tcp://10.0.0.1:8000',
      AETHEL_PORT_8000_TCP_ADDR: '10.0.0.1',
      AETHEL_HTTP_PORT: 'tcp://10.0.0.2:80',
    });
    expect(config?.http.port).toBe(8000);
    expect(warnings.map(({ name }) => name)).toEqual(['AETHEL_HTTP_PORT']);
    expect(warnings[0]?.problem).toContain('3 more like it are');
  });
});

describe('files', () => {
  it('lets the .env file override the environment', () => {
    const config = load(
      { AETHEL_HTTP_PORT: '1', AETHEL_LOG_LEVEL: 'warn' },
      { '.env': 'AETHEL_HTTP_PORT="2" # mine\nOTHER=x\n' },
    );
    expect([config.http.port, config.log.level, config.envFile]).toEqual([2, 'warn', '.env']);
  });

  it('reads the file that is named, and no other', () => {
    const files = { '.env': 'AETHEL_HTTP_PORT=2', '.env.nodeA': 'AETHEL_HTTP_PORT=3' };
    const config = load({ AETHEL_ENV_FILE: '.env.nodeA' }, files);
    expect([config.http.port, config.envFile]).toEqual([3, '.env.nodeA']);
  });

  it('refuses a named file that is missing, and a default one that cannot be read', () => {
    expect(problemsOf({ AETHEL_ENV_FILE: '.env.nodeX' })).toEqual([
      { name: 'AETHEL_ENV_FILE', problem: '.env.nodeX cannot be read (ENOENT)' },
    ]);
    expect(problemsOf({ AETHEL_ENV_FILE: '.env' })).toHaveLength(1);
    const denied = (): Uint8Array => {
      throw Object.assign(new Error('denied'), { code: 'EACCES' });
    };
    expect(() => loadConfig({ AETHEL_CLUSTER_KEY: KEY }, denied)).toThrow(/\.env cannot be read \(EACCES\)/);
  });

  it('finds misspelt names inside the file', () => {
    expect(problemsOf({}, { '.env': 'AETHEL_PORT=1' }).map(({ name }) => name)).toEqual(['AETHEL_PORT']);
  });

  it('says in which line of the file a value stands that will not do', () => {
    const error = errorOf({}, { '.env': '# mine\nAETHEL_HTTP_PORT=eighty\nAETHEL_API_TOKEN=\nnonsense\n' });
    expect(error.message).toBe(
      [
        'the environment has 2 problems:',
        '  AETHEL_HTTP_PORT (.env, line 2): must be a whole number from 0 to 65535 (is "eighty")',
        '  AETHEL_API_TOKEN (.env, line 3): is set, and blank: unset it, or give it a value',
      ].join('\n'),
    );
    const { warnings } = inspect({}, { '.env': 'nonsense\n' });
    expect(warnings.map(lineOf)).toEqual(['(.env, line 1): is not a setting (NAME=value), and is ignored']);
  });

  it('takes no line for the value of the one before, and tells no secret (B02)', () => {
    const token = 'qwertyuiopasdfgh';
    const text = `AETHEL_STATE_DIR= \nAETHEL_P2P_BOOTSTRAP=\t\nAETHEL_API_TOKEN=${token}\n`;
    const config = load({}, { '.env': text });
    expect([config.stateDir, config.p2p.bootstrap, config.api.token]).toEqual(['./.aethel/state', [], token]);
    const error = errorOf({}, { '.env': `AETHEL_API_TOKEN= \n${token}\nAETHEL_CLUSTER_KEY ${token}\n` });
    expect(error.problems.map(({ name }) => name)).toEqual(['AETHEL_CLUSTER_KEY', 'AETHEL_API_TOKEN']);
    expect(error.message).not.toContain(token);
  });

  it('takes secrets from files, without the line break at the end', () => {
    const files = { '/run/key': `${KEY}\n`, '/run/token': '0123456789abcdef\n' };
    const config = load(
      {
        AETHEL_CLUSTER_KEY: undefined,
        AETHEL_CLUSTER_KEY_FILE: '/run/key',
        AETHEL_API_TOKEN_FILE: '/run/token',
      },
      files,
    );
    expect(Buffer.from(config.clusterKey).toString('hex')).toBe(KEY);
    expect(config.api.token).toBe('0123456789abcdef');
  });

  it('refuses a secret file that is missing or short, and a secret given twice', () => {
    const env = { AETHEL_CLUSTER_KEY: undefined, AETHEL_CLUSTER_KEY_FILE: '/run/key' };
    expect(problemsOf(env)[0]?.problem).toBe('/run/key cannot be read (ENOENT)');
    expect(problemsOf(env, { '/run/key': 'short\n' })[0]?.problem).toContain('(is 5)');
    expect(problemsOf({ AETHEL_CLUSTER_KEY_FILE: '/run/key' }, { '/run/key': KEY })[0]?.problem).toContain(
      'choose one',
    );
  });
});

it('never throws anything but ConfigError', () => {
  const name = fc.oneof(
    fc.constantFrom(
      'AETHEL_HTTP_PORT',
      'AETHEL_P2P_LISTEN',
      'AETHEL_LATTICE_NODES',
      'AETHEL_CLUSTER_KEY',
      'AETHEL_ENV_FILE',
      'AETHEL_API_TOKEN_FILE',
      'HTTP_PROXY',
      'no_proxy',
      'AETHEL_SERVICE_HOST',
      '__proto__',
      'constructor',
    ),
    fc.string().map((rest) => `AETHEL_${rest}`),
    fc.string({ unit: 'binary' }),
  );
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('http://[', '/ip4//tcp/', '%', 'http://a:99999'),
    fc.webUrl(),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value)), fc.string({ unit: 'binary' }), (pairs, file) => {
      try {
        loadConfig(Object.fromEntries(pairs), () => Buffer.from(file));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

function load(env: Env, files: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({ AETHEL_CLUSTER_KEY: KEY, ...env }, reading(files));
}

function inspect(env: Env, files: Readonly<Record<string, string>> = {}): Inspection {
  return inspectConfig({ AETHEL_CLUSTER_KEY: KEY, ...env }, reading(files));
}

function reading(files: Readonly<Record<string, string>>): (path: string) => Uint8Array {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('missing'), { code: 'ENOENT' });
    return Buffer.from(text);
  };
}

function errorOf(env: Env, files: Readonly<Record<string, string>> = {}): ConfigError {
  try {
    load(env, files);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the environment was taken');
}

function problemsOf(env: Env, files: Readonly<Record<string, string>> = {}): ConfigError['problems'] {
  return errorOf(env, files).problems;
}
