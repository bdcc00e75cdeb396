import { readProxies, type PeersToAsk } from './proxies.ts';
import type { Env } from './values.ts';

const NOBODY: PeersToAsk = { latticeNodes: [], isDiscovering: false };

describe('what is wrong with a proxy', () => {
  const wrong: readonly [Env, string][] = [
    [{ HTTP_PROXY: 'socks5h://proxy:1080' }, 'HTTP_PROXY'],
    [{ HTTP_PROXY: 'http://user:hunter2@proxy:3128/path' }, 'HTTP_PROXY'],
    [{ HTTP_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost;127.0.0.1' }, 'NO_PROXY'],
    [{ HTTP_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost,<local>' }, 'NO_PROXY'],
    [{ HTTP_PROXY: 'http://proxy:3128', NO_PROXY: 'a '.repeat(257) }, 'NO_PROXY'],
  ];

  it.each(wrong)('is a problem where peers are asked through it: %j', (env, name) => {
    for (const peers of [
      { ...NOBODY, latticeNodes: ['http://node:8000'] },
      { ...NOBODY, isDiscovering: true },
    ]) {
      expect(read(env, peers)).toMatchObject({ problems: [name], warnings: [] });
    }
  });

  it.each(wrong)('is a warning where nobody is: %j', (env, name) => {
    for (const latticeNodes of [
      [],
      ['https://node'],
      ['http://127.0.0.1:8001', 'http://[::1]', 'http://localhost'],
    ]) {
      expect(read(env, { ...NOBODY, latticeNodes })).toMatchObject({ problems: [], warnings: [name] });
    }
  });

  it('matters by the scheme of the peers', () => {
    const env = { HTTPS_PROXY: 'http://proxy/x', HTTP_PROXY: 'http://proxy/x' };
    const { problems, warnings } = read(env, { ...NOBODY, latticeNodes: ['https://node'] });
    expect([problems, warnings]).toEqual([['HTTPS_PROXY'], ['HTTP_PROXY']]);
  });
});

it('knows names in other letters by what DNS calls them', () => {
  const { exempt } = read({ NO_PROXY: 'münchen.example,.bücher.example,*.例え.jp' }, NOBODY);
  expect(exempt).toEqual(['xn--mnchen-3ya.example', '.xn--bcher-kva.example', '*.xn--r8jz45g.jp']);
  const proxy = read({ HTTP_PROXY: 'http://bücher.example:3128' }, NOBODY);
  expect(proxy.http).toBe('http://xn--bcher-kva.example:3128/');
});

function read(env: Env, peers: PeersToAsk) {
  const problems: string[] = [];
  const warnings: string[] = [];
  const tell =
    (heap: string[]) =>
    (name: string, problem: string): void => {
      expect(problem).not.toContain('hunter2');
      heap.push(name);
    };
  const proxies = readProxies(env, peers, tell(problems), tell(warnings));
  return { ...proxies, problems, warnings };
}
