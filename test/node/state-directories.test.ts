import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { StatusResponse } from '../../node/http/schemas.ts';
import { environment, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const BUDGET_MS = 30_000;
const PLAIN = new URL('../fixtures/plain-file-system.ts', import.meta.url).href;
/** Neither hard links nor sockets. */
const AS_FAT = { NODE_OPTIONS: `--import=${PLAIN}` };

describe('a state directory', () => {
  let parent: string;
  let nodes: NodeProcess[];
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'aethel-state-'));
    nodes = [];
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    rmSync(parent, { recursive: true, force: true });
  });

  const launch = async (dir: string, more: Readonly<Record<string, string>>) => {
    const node = new NodeProcess();
    nodes.push(node);
    const port = await freePort();
    const from = isAbsolute(dir) ? [] : ['env', '-C', parent];
    node.start(environment(port, { AETHEL_STATE_DIR: dir, ...more }), [], from);
    return { node, url: `http://127.0.0.1:${port}` };
  };
  const start = async (dir: string, more: Readonly<Record<string, string>>) => {
    const { node, url } = await launch(dir, more);
    const id = await until(
      async () => {
        const { status, body } = await talk(`${url}/api/lattice/p2p/status`);
        return status === 200 ? (body as unknown as StatusResponse).peer_id : null;
      },
      [node],
      BUDGET_MS,
    );
    return { node, url, id };
  };
  const refused = async (dir: string, more: Readonly<Record<string, string>>): Promise<string> => {
    const { node } = await launch(dir, more);
    expect(await node.ended(BUDGET_MS)).toBe(3);
    return node.output;
  };

  /** One process at a time, and what it wrote is there after its death. */
  const serves = async (dir: string, more: Readonly<Record<string, string>> = {}): Promise<void> => {
    const first = await start(dir, more);
    expect((await talk(keyUrl(first.url, 'k'), 'PUT', { value: 'kept' })).status).toBe(201);
    expect(await refused(dir, more)).toContain('is in use by another process');
    await first.node.halt();
    const again = await start(dir, more);
    expect(again.id).toBe(first.id);
    expect((await talk(keyUrl(again.url, 'k'))).body['value']).toBe('kept');
  };

  it.each([
    ['relative, with blanks and more than ASCII', () => 'a  b/état 状態'],
    ['behind a symbolic link', () => (mkdirSync(join(parent, 'real')), link('real', 'link'))],
    ['too long for the address of a socket', () => join(parent, 'x'.repeat(120), 'y'.repeat(120))],
  ])('serves that is %s', async (_what, make) => {
    await serves(make());
  });

  it('serves on a file system without hard links and sockets', async () => {
    const dir = join(parent, 'state');
    await serves(dir, AS_FAT);
    expect(readdirSync(dir).toSorted()).toEqual(['identity.key', 'store', 'store.made']);
    const signs = readdirSync(join(dir, 'store')).filter((name) => name.startsWith('own-'));
    expect(signs).toEqual([expect.stringMatching(/\.lock$/)]);
  });

  it('has one process, though one shows itself by a socket and the other by a lock', async () => {
    const dir = join(parent, 'state');
    const locked = await start(dir, AS_FAT);
    expect(await refused(dir, {})).toContain('is in use by another process');
    await locked.node.halt();
    const listening = await start(dir, {});
    expect(await refused(dir, AS_FAT)).toContain('is in use by another process');
    expect(listening.id).toBe(locked.id);
  });

  it('is refused in one line where there are no locks either', async () => {
    const said = await refused(join(parent, 'state'), { ...AS_FAT, PLAIN_LOCKS: 'none' });
    expect(said).toMatch(
      /takes neither a socket \(EPERM\) nor a file lock \(ENOTSUP\).*put AETHEL_STATE_DIR on/,
    );
    expect(said).not.toContain('    at ');
  });

  const fat = mountFat();
  afterAll(() => fat.unmount());
  (fat.why === null ? it : it.skip)(
    `serves on FAT${fat.why === null ? '' : `: SKIPPED, ${fat.why}`}`,
    async () => {
      await serves(join(fat.dir, 'state'));
    },
  );

  function link(to: string, name: string): string {
    symlinkSync(to, join(parent, name));
    return join(parent, name);
  }
});

interface Fat {
  readonly dir: string;
  /** there is none */
  readonly why: string | null;
  readonly unmount: () => void;
}

function mountFat(): Fat {
  const base = mkdtempSync(join(tmpdir(), 'aethel-fat-'));
  const dir = join(base, 'mount');
  mkdirSync(dir);
  const image = join(base, 'image');
  const script = 'truncate -s 64M "$0" && mkfs.vfat "$0" >/dev/null && mount -o loop "$0" "$1"';
  const made = spawnSync('sh', ['-c', script, image, dir], { encoding: 'utf8' });
  const why = made.status === 0 ? null : (made.stderr.trim().split('\n')[0] ?? 'it cannot be mounted');
  const unmount = (): void => {
    if (why === null) spawnSync('umount', [dir]);
    rmSync(base, { recursive: true, force: true });
  };
  return { dir, why, unmount };
}
