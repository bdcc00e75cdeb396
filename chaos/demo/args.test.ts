import { parseDemoArgs } from './args.ts';

describe('the command line of the demo', () => {
  it('opens the page of five nodes on the usual port, unless told otherwise', () => {
    const usual = { kind: 'run', show: 'page', cluster: 'processes', nodes: 5, port: null, language: 'en' };
    expect(parseDemoArgs([], {})).toEqual(usual);
    expect(parseDemoArgs(['--terminal'], {})).toEqual({ ...usual, show: 'terminal' });
    expect(parseDemoArgs(['--port', '7100'], {})).toEqual({ ...usual, port: 7100 });
    expect(parseDemoArgs(['--cluster', 'compose'], {})).toEqual({ ...usual, cluster: 'compose' });
    expect(parseDemoArgs(['--once', '--nodes', '3', '--lang', 'pt'], {})).toEqual({
      ...usual,
      show: 'once',
      nodes: 3,
      language: 'pt',
    });
  });

  it('speaks the language of the locale, the more specific variable first, and --lang above all', () => {
    expect(parseDemoArgs([], { LANG: 'pt_BR.UTF-8' })).toMatchObject({ language: 'pt' });
    expect(parseDemoArgs([], { LC_ALL: 'C', LANG: 'pt_BR.UTF-8' })).toMatchObject({ language: 'en' });
    expect(parseDemoArgs([], { LC_ALL: '', LANG: 'pt_BR.UTF-8' })).toMatchObject({ language: 'pt' });
    expect(parseDemoArgs(['--lang', 'en'], { LANG: 'pt_BR.UTF-8' })).toMatchObject({ language: 'en' });
  });

  it('shows its help', () => {
    expect(parseDemoArgs(['--help'], {})).toEqual({ kind: 'help', language: 'en' });
    expect(parseDemoArgs(['-h'], {})).toMatchObject({ kind: 'help' });
  });

  it.each([
    [['--nodes', '2']],
    [['--nodes', '11']],
    [['--nodes', '3.5']],
    [['--nodes', '']],
    [['--nodes']],
    [['--lang', 'fr']],
    [['--cluster', 'cloud']],
    [['--port', '65536']],
    [['--port', 'http']],
    [['--port', '-1']],
    [['--twice']],
    [['five']],
  ])('refuses %j, saying why', (argv) => {
    const args = parseDemoArgs(argv, {});
    expect(args.kind).toBe('mistake');
    expect(args.kind === 'mistake' ? args.message : '').not.toBe('');
  });
});
