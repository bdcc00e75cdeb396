import fc from 'fast-check';
import { parseCommand, usageOf, UsageError } from './cli.ts';
import type { Command } from './cli.ts';

const parse = (...args: string[]): Command => parseCommand(args, ['p2p-cut', 'node-kill'], () => 42);

describe('the command line', () => {
  it('runs the gate on five containers when nothing is said', () => {
    expect(parse()).toEqual({
      command: 'gate',
      world: 'containers',
      nodes: 5,
      seed: 42,
      results: 'chaos-results',
      plan: false,
      quick: false,
    });
  });

  it('takes what is said', () => {
    expect(
      parse(
        'run',
        'node-kill',
        '--cluster',
        'processes',
        '--nodes',
        '3',
        '--rounds',
        '4',
        '--seed',
        '7',
        '--duration',
        '20m',
      ),
    ).toMatchObject({
      command: 'run',
      scenario: 'node-kill',
      world: 'processes',
      nodes: 3,
      rounds: 4,
      seed: 7,
      durationMs: 1_200_000,
    });
    expect(parse('compare', 'a', 'b', 'c')).toMatchObject({ runs: ['a', 'b', 'c'] });
    expect(parse('replay', 'latest', '--plan')).toMatchObject({ run: 'latest', plan: true });
  });

  it('explains one command, or all', () => {
    expect(parse('run', '--help')).toEqual({ command: 'help', topic: 'run' });
    expect(parse('help', 'run')).toEqual({ command: 'help', topic: 'run' });
    expect(parse('-h')).toEqual({ command: 'help', topic: null });
    expect(usageOf('run')).toContain('--rounds');
    expect(usageOf(null)).toContain('exit codes: 0 pass, 1 fail, 2 inconclusive');
  });

  it.each([
    [['run', 'sabotage'], 'there is no scenario sabotage; there are p2p-cut, node-kill'],
    [['explode'], 'there is no command explode; there are gate, run, list'],
    [['run'], 'run needs <scenario>'],
    [['run', 'p2p-cut', 'node-kill'], 'run takes one <scenario>, not also node-kill'],
    [['--nodes', '2'], '--nodes is a whole number from 3 to 20, not 2'],
    [['--nodes', '3.5'], '--nodes is a whole number from 3 to 20, not 3.5'],
    [['run', 'p2p-cut', '--rounds', 'many'], '--rounds is a whole number from 1 to 100, not many'],
    [['run', 'p2p-cut', '--duration', '90'], '--duration is like 90s, 20m or 2h, up to 24h, not 90'],
    [['run', 'p2p-cut', '--duration', '25h'], '--duration is like 90s, 20m or 2h, up to 24h, not 25h'],
    [['--cluster', 'swarm'], '--cluster is containers, processes or simulated, not swarm'],
    [['--frobnicate'], "Unknown option '--frobnicate'"],
    [['list', 'more'], 'list takes no more'],
    [['list', '--nodes', '3'], 'list takes no --nodes'],
    [['compare', 'one'], 'compare needs <run> <run>'],
    [['help', 'explode'], 'there is no command explode'],
  ])('answers %j with one clear line', (args, line) => {
    const attempt = () => parse(...args);
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(line);
  });

  it('understands anything, or says in one line why not', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'gate',
        'run',
        'list',
        'replay',
        'compare',
        'heal',
        'help',
        'p2p-cut',
        '--nodes',
        '--seed',
        '--plan',
        '--',
        '-h',
        '-x',
        '--seed=1',
        '--duration',
        '1e9',
        '-1',
        '__proto__',
        'constructor',
        '',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (args) => {
        try {
          const found = parse(...args);
          if ('nodes' in found) expect(found.nodes).toBeGreaterThanOrEqual(3);
          if ('seed' in found) expect(Number.isSafeInteger(found.seed)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect(String(error)).toMatch(/^UsageError: .+$/);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads back every command that it could write', () => {
    const asked = fc.record({
      scenario: fc.constantFrom('p2p-cut', 'node-kill'),
      world: fc.constantFrom('containers', 'processes', 'simulated'),
      nodes: fc.integer({ min: 3, max: 20 }),
      rounds: fc.integer({ min: 1, max: 100 }),
      seed: fc.integer({ min: 0, max: 0xffff_ffff }),
      seconds: fc.integer({ min: 1, max: 86_400 }),
      plan: fc.boolean(),
    });
    fc.assert(
      fc.property(asked, ({ scenario, world, nodes, rounds, seed, seconds, plan }) => {
        const args = [
          '--cluster',
          world,
          '--nodes',
          `${nodes}`,
          '--rounds',
          `${rounds}`,
          '--seed',
          `${seed}`,
          '--duration',
          `${seconds}s`,
        ];
        expect(parse('run', scenario, ...args, ...(plan ? ['--plan'] : []))).toEqual({
          command: 'run',
          scenario,
          world,
          nodes,
          rounds,
          seed,
          durationMs: seconds * 1_000,
          plan,
          results: 'chaos-results',
        });
      }),
    );
  });
});
