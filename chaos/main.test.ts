import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const LIMIT_MS = 120_000;

let place = '';
let gate: Ended;

beforeAll(async () => {
  place = mkdtempSync(path.join(os.tmpdir(), 'aethel-chaos-test-'));
  gate = await chaos('--quick', '--cluster', 'simulated', '--seed', '3');
}, LIMIT_MS);

afterAll(() => {
  rmSync(place, { recursive: true, force: true });
});

describe('npm run chaos', () => {
  it('plays the gate, and leaves a page, a verdict for machines and a summary', () => {
    expect(gate).toMatchObject({ code: 0, errors: '' });
    expect(gate.output).toContain('verdict: PASS');
    expect(gate.output).not.toContain('\u001b');
    const latest = path.join(place, 'chaos-results', 'latest');
    expect(readdirSync(latest)).toEqual(expect.arrayContaining(['junit.xml', 'report.html', 'results.json']));
    expect(readFileSync(path.join(place, 'summary.md'), 'utf8')).toContain('✅ PASS: 5 simulated, seed 3');
  });

  it(
    'packs it, and verifies the pack with the key that signed it and with no other',
    async () => {
      const packed = await chaos('pack', 'latest', '--out', 'gate.tar.gz');
      expect(packed.code).toBe(0);
      const [fingerprint = ''] = /[0-9a-f]{64}/.exec(packed.output) ?? [];
      expect(await chaos('verify', 'gate.tar.gz', '--trust', fingerprint)).toMatchObject({ code: 0 });
      const distrusted = await chaos('verify', 'gate.tar.gz', '--trust', 'f'.repeat(64));
      expect(distrusted).toMatchObject({ code: 1, errors: '' });
      expect(distrusted.output).toMatch(/^REFUSED: .+\n$/);
    },
    LIMIT_MS,
  );

  it(
    'replays a run to the last line of its history, and sets the two side by side',
    async () => {
      await chaos(
        'run',
        'p2p-cut',
        '--cluster',
        'simulated',
        '--nodes',
        '4',
        '--seed',
        '9',
        '--results',
        'once',
      );
      await chaos('replay', 'once/latest', '--results', 'again');
      expect(historyOf('again')).toEqual(historyOf('once'));
      const { code, output } = await chaos('compare', 'once/latest', 'again/latest');
      expect(code).toBe(0);
      expect(output).toMatch(/^verdict +PASS +PASS$/m);
    },
    LIMIT_MS,
  );

  it(
    'plans without doing',
    async () => {
      const { code, output } = await chaos(
        'run',
        'both-cut',
        '--plan',
        '--seed',
        '1',
        '--results',
        'planned',
      );
      expect(code).toBe(0);
      expect(output).toContain('node1: nft');
      expect(existsSync(path.join(place, 'planned'))).toBe(false);
    },
    LIMIT_MS,
  );

  it.each([[['replay', 'nowhere']], [['shrink', 'latest']], [['canaries', '--only', 'nobody']]])(
    'ends with 3 and one line when it is called with %j',
    async (args) => {
      const { code, output, errors } = await chaos(...args);
      expect({ code, output }).toEqual({ code: 3, output: '' });
      expect(errors).toMatch(/^chaos: .+\n$/);
    },
    LIMIT_MS,
  );
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function chaos(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: place,
    env: { ...process.env, NODE_OPTIONS: '', GITHUB_STEP_SUMMARY: path.join(place, 'summary.md') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output, errors }));
  });
}

/** Without its first line, which names the run. */
function historyOf(results: string): readonly string[] {
  return readFileSync(path.join(place, results, 'latest', 'history.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => !line.includes('"type":"run"'));
}
