import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';

const SCRIPT = new URL('verify-proof.ts', import.meta.url);
const VECTORS = new URL('../test/vectors/proof-v1.json', import.meta.url);

interface Vectors {
  readonly peer_id: string;
  readonly valid: readonly { readonly name: string; readonly document: unknown }[];
  readonly invalid: readonly { readonly name: string; readonly document: unknown }[];
}
const vectors = JSON.parse(readFileSync(VECTORS, 'utf8')) as Vectors;
/** of seed 01…01, which signed the vectors */
const PUBLIC_KEY = '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c';
const STRANGER = '12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq';

describe('verify-proof', () => {
  it('finds what is valid valid and says what it proves', async () => {
    const outputs = await Promise.all(
      vectors.valid.map(({ document }) => verify(['--peer-id', vectors.peer_id], document)),
    );
    expect(outputs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const [value, conflict, tombstone, absent] = outputs.map(({ stdout }) => stdout);
    expect(value).toMatch(/^valid: the key "greeting" has the value "hello"\n/);
    expect(value).toContain('conflict: no');
    expect(conflict).toMatch(/has the value "bob"[^]*conflict: yes, "ada" by 12D3/);
    expect(tombstone).toMatch(/^valid: the key "deleted" was deleted\n/);
    expect(absent).toMatch(/^valid: nothing is known of the key "nowhere"\n/);
  });

  it('finds what is invalid invalid and says why', async () => {
    const outputs = await Promise.all(
      vectors.invalid.map(({ document }) => verify(['--public-key', PUBLIC_KEY, '-'], document)),
    );
    for (const { code, stdout } of outputs) {
      expect(code).toBe(1);
      expect(stdout).toMatch(/^invalid: .+\.\n$/);
    }
    expect(outputs).toHaveLength(5);
  });

  it('takes the proof out of an answer of the API', async () => {
    const document = vectors.valid[0]?.document;
    const { code, stdout } = await verify([], { success: true, value: 'a lie', proof: document });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.not.stringContaining('a lie') });
    expect(stdout).toContain('make sure that you trust this node');
  });

  it('asks for the author that is expected', async () => {
    const document = vectors.valid[0]?.document;
    expect((await verify(['--author', vectors.peer_id], document)).code).toBe(0);
    expect((await verify(['--author', STRANGER], document)).code).toBe(1);
    expect((await verify(['--peer-id', STRANGER], document)).code).toBe(1);
  });

  it('tells wrong usage from a wrong proof', async () => {
    const outputs = await Promise.all([
      verify(['--help'], ''),
      verify(['no-such-file.json'], ''),
      verify(['--peer-id', 'ada'], ''),
      verify(['--public-key', 'abc'], ''),
      verify(['--frob'], ''),
      verify(['a', 'b'], ''),
      verify([], undefined),
    ]);
    expect(outputs.map(({ code }) => code)).toEqual([0, 2, 2, 2, 2, 2, 1]);
    expect(outputs[0]?.stdout).toContain('Usage: node scripts/verify-proof.ts');
  });
});

async function verify(
  args: readonly string[],
  document: unknown,
): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, ['--no-warnings', SCRIPT.pathname, ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
  });
  // Whoever refuses its arguments does not read.
  child.stdin.on('error', () => undefined);
  child.stdin.end(document === undefined ? '' : JSON.stringify(document));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const stdout = await text(child.stdout);
  return { code: await closed, stdout };
}
