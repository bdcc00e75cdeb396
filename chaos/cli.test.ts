import { parseCommand, UsageError } from './cli.ts';

const parse = (...args: string[]) => parseCommand(args, ['p2p-cut', 'node-kill'], () => 42);

describe('the command line', () => {
  it('runs p2p-cut on five containers when nothing is said', () => {
    expect(parse()).toEqual({
      command: 'run',
      scenario: 'p2p-cut',
      world: 'containers',
      nodes: 5,
      rounds: 1,
      seed: 42,
      results: 'chaos-results',
    });
  });

  it('takes what is said', () => {
    expect(
      parse('run', 'node-kill', '--cluster', 'processes', '--nodes', '3', '--rounds', '4', '--seed', '7'),
    ).toMatchObject({
      scenario: 'node-kill',
      world: 'processes',
      nodes: 3,
      rounds: 4,
      seed: 7,
    });
  });

  it.each([
    [['run', 'sabotage'], 'there is no scenario sabotage; there are p2p-cut, node-kill'],
    [['explode'], 'there is no command explode; there are run, list, doctor, heal'],
    [['run', 'p2p-cut', 'node-kill'], 'one scenario at a time, not also node-kill'],
    [['--nodes', '2'], '--nodes is a whole number from 3 to 5, not 2'],
    [['--nodes', '3.5'], '--nodes is a whole number from 3 to 5, not 3.5'],
    [['--rounds', 'many'], '--rounds is a whole number from 1 to 100, not many'],
    [['--cluster', 'swarm'], '--cluster is containers or processes, not swarm'],
    [['--frobnicate'], "Unknown option '--frobnicate'"],
    [['list', 'more'], 'list takes no more'],
  ])('answers %j with one clear line', (args, line) => {
    const attempt = () => parse(...args);
    expect(attempt).toThrow(UsageError);
    expect(attempt).toThrow(line);
  });
});
