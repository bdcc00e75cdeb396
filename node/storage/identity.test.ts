import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadOrCreateIdentity } from './identity.ts';

describe('the identity of a node', () => {
  let parent: string;
  let dir: string;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'aethel-identity-'));
    dir = join(parent, 'state');
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));

  it('is made once, and is the same after a restart', async () => {
    const made = await loadOrCreateIdentity(dir);
    const read = await loadOrCreateIdentity(dir);
    expect(read.id).toBe(made.id);
    expect(read.sign(Buffer.from('x'))).toEqual(made.sign(Buffer.from('x')));
  });

  it('is readable by its owner alone, and leaves nothing else behind', async () => {
    await loadOrCreateIdentity(dir);
    const file = join(dir, 'identity.key');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect(await readFile(file)).toHaveLength(32);
    expect(await readdir(dir)).toEqual(['identity.key']);
  });

  it('is one, whoever of several starters made it', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => loadOrCreateIdentity(dir)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  });

  it('is never guessed from a file of another size', async () => {
    await loadOrCreateIdentity(dir);
    const file = join(dir, 'identity.key');
    await writeFile(file, 'short');
    await expect(loadOrCreateIdentity(dir)).rejects.toMatchObject({
      name: 'IdentityError',
      code: 'SIZE',
      file,
    });
    expect(await readFile(file, 'utf8')).toBe('short');
  });

  it('is not made anew where there was one, and says how to go on', async () => {
    const loaded = loadOrCreateIdentity(dir, { mayCreate: false });
    await expect(loaded).rejects.toMatchObject({ name: 'IdentityError', code: 'GONE' });
    await expect(loaded).rejects.toThrow(/identity\.key: is missing.*restore it.*accept-loss/);
    const made = await loadOrCreateIdentity(dir);
    expect((await loadOrCreateIdentity(dir, { mayCreate: false })).id).toBe(made.id);
  });

  it('names the file and the reason when the disk refuses', async () => {
    await writeFile(join(parent, 'file'), '');
    const loaded = loadOrCreateIdentity(join(parent, 'file'));
    await expect(loaded).rejects.toMatchObject({ name: 'IdentityError', code: 'ENOTDIR' });
  });
});
