import { readFileSync } from 'node:fs';
import { bootstrapAddress, parseTwinArgs, readTwinSettings } from './settings.ts';

const A = 'AETHEL_HTTP_PORT=8000\nAETHEL_P2P_LISTEN=/ip4/127.0.0.1/tcp/9000\nAETHEL_CLUSTER_KEY_FILE=key\n';
const B = 'AETHEL_HTTP_PORT=8001\nAETHEL_P2P_LISTEN=/ip4/127.0.0.1/tcp/9001\nAETHEL_CLUSTER_KEY_FILE=key\n';

describe('the settings of the twin', () => {
  it('are taken from both files', () => {
    const { a, b, keyFile } = read(A, `${B}AETHEL_NODE_NAME=second\nAETHEL_LOG_FILE=b.log\n`);
    expect(a).toMatchObject({ name: 'nodeA', httpPort: 8000, logFile: null });
    expect(b).toMatchObject({ name: 'second', httpPort: 8001, logFile: 'b.log' });
    expect(b.ports.map(({ port }) => port)).toEqual([8001, 9001]);
    expect(keyFile).toBe('key');
  });

  it.each([
    [
      'a bootstrap peer that cannot be known yet',
      `${B}AETHEL_P2P_BOOTSTRAP=/ip4/127.0.0.1/tcp/9000`,
      /AETHEL_P2P_BOOTSTRAP/,
    ],
    ['two clusters', B.replace('=key', '=other'), /same AETHEL_CLUSTER_KEY_FILE/],
    ['one HTTP port for two', B.replace('8001', '8000'), /port 8000 is both/],
    ['a P2P port that is an HTTP port', B.replace('9001', '8000'), /port 8000 is both/],
    ['no port', B.replace('8001', ''), /AETHEL_HTTP_PORT must name a port/],
    ['an impossible port', B.replace('8001', '70000'), /AETHEL_HTTP_PORT must name a port/],
  ])('refuse %s', (_, textB, message) => {
    expect(() => read(A, textB)).toThrow(message);
  });

  it('of the files in this repository fit together, and hold no secret', () => {
    const [textA, textB] = ['.env.nodeA', '.env.nodeB'].map((file) => readFileSync(file, 'utf8'));
    const { a, b } = read(textA ?? '', textB ?? '');
    expect([a.name, a.httpPort, a.logFile]).toEqual(['nodeA', 8000, 'logs/nodeA.log']);
    expect([b.name, b.httpPort, b.logFile]).toEqual(['nodeB', 8001, 'logs/nodeB.log']);
    expect(`${textA}${textB}`).not.toMatch(/^AETHEL_(CLUSTER_KEY|API_TOKEN)=/m);
  });
});

describe('the command line of the twin', () => {
  it('runs the two files of the repository until it is stopped', () => {
    expect(parseTwinArgs([])).toEqual({ kind: 'run', once: false, fileA: '.env.nodeA', fileB: '.env.nodeB' });
    expect(parseTwinArgs(['--once', '--env-a', 'x'])).toMatchObject({ once: true, fileA: 'x' });
    expect(parseTwinArgs(['--help'])).toEqual({ kind: 'help' });
  });

  it.each([[['--thrice']], [['--env-a']], [['three']]])('refuses %j', (argv) => {
    expect(parseTwinArgs(argv).kind).toBe('mistake');
  });
});

describe('the address that node B dials', () => {
  it.each([
    ['the loopback one', ['/ip4/10.0.0.7/tcp/9', '/ip4/127.0.0.1/tcp/9/p2p/A'], '/ip4/127.0.0.1/tcp/9/p2p/A'],
    [
      'another where there is no loopback',
      ['/ip6/::1/tcp/9', '/ip4/10.0.0.7/tcp/9'],
      '/ip4/10.0.0.7/tcp/9/p2p/A',
    ],
    ['none where node A listens nowhere', [], null],
  ])('is %s', (_, addresses, expected) => {
    expect(bootstrapAddress('A', addresses)).toBe(expected);
  });
});

function read(textA: string, textB: string) {
  return readTwinSettings({ file: 'a', text: textA }, { file: 'b', text: textB });
}
