import { HELP, parseCommand } from './cli.ts';

describe('the command line', () => {
  it('runs seed 1 when nothing is asked for', () => {
    expect(parseCommand([])).toMatchObject({ do: 'run', seed: 1, schedule: null, again: '' });
  });

  it('understands what the issue asks for', () => {
    expect(parseCommand(['--seed', '7', '--nodes', '2000', '--minutes', '5'])).toMatchObject({
      do: 'run',
      seed: 7,
      wishes: { nodes: 2_000, faultsMs: 300_000 },
      again: ' --nodes 2000 --seconds 300',
    });
    expect(parseCommand(['swarm', '--seeds', '10000', '--from', '5', '--jobs', '2'])).toMatchObject({
      do: 'swarm',
      seeds: 10_000,
      from: 5,
      jobs: 2,
    });
    expect(parseCommand(['shrink', '42', '--nodes', '6'])).toMatchObject({
      do: 'shrink',
      seed: 42,
      wishes: { nodes: 6 },
    });
    for (const args of [['--help'], ['swarm', '--help'], ['help'], ['shrink', '-h']])
      expect(parseCommand(args)).toEqual({ do: 'help' });
  });

  it('names every option in its help', () => {
    for (const option of [
      'seed',
      'nodes',
      'seconds',
      'minutes',
      'writes',
      'beat',
      'wire',
      'schedule',
      'save',
      'print',
      'json',
    ])
      expect(HELP).toContain(`--${option}`);
  });

  it.each([
    [['--seed', '-1']],
    [['--seed', '1e3']],
    [['--seed', '']],
    [['--nodes', '1']],
    [['--nodes', '99999']],
    [['--minutes', '0']],
    [['--minutes', '1', '--seconds', '60']],
    [['--sede', '1']],
    [['--seed']],
    [['dance']],
    [['run', 'twice']],
    [['shrink']],
    [['shrink', 'x']],
    [['shrink', '1', '2']],
    [['swarm', '--seed', '1']],
    [['swarm', '--jobs', '0']],
    [['--seeds', '5']],
  ])('refuses %j in one line', (args) => {
    const problem = parseCommand(args);
    expect(problem).toEqual(expect.stringMatching(/^[^\n]+$/));
  });
});
