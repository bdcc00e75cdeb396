import { emptyView, reduce } from '../../dashboard/view.ts';
import type { ClusterView } from '../../dashboard/view.ts';
import { Screen, screenOptions } from './screen.ts';

describe('the screen of the demo', () => {
  it('keeps the table below the story on a terminal', () => {
    const { output, text } = memory({ isTTY: true, columns: 80 });
    const screen = new Screen(output, { language: 'en', live: true, colours: false });
    screen.draw(view(0));
    screen.tell('cut');
    expect(onTerminal(text())).toMatch(/^cut\n\n0\.0 s\nnode .*\nn1 .*\n$/);
    screen.draw(view(1000));
    expect(onTerminal(text())).toMatch(/^cut\n\n1\.0 s\nnode .*\nn1 .*\n$/);
  });

  it('leaves the table standing when it is released', () => {
    const { output, text } = memory({ isTTY: true });
    const screen = new Screen(output, { language: 'en', live: true, colours: false });
    screen.draw(view(0));
    screen.release();
    screen.tell('stopping');
    expect(onTerminal(text())).toMatch(/^\n0\.0 s\nnode .*\nn1 .*\nstopping\n$/);
  });

  it('writes plain lines where there is no terminal: when something changed, and not too often', () => {
    const { output, text } = memory({});
    const screen = new Screen(output, { language: 'en', live: false, colours: false });
    screen.draw(view(10_000));
    screen.draw(view(20_000));
    const down = reduce(view(20_500), { type: 'reach', at: 20_500, node: 'n1', reach: 'down' });
    screen.draw(down);
    screen.draw(reduce(down, { type: 'reach', at: 20_600, node: 'n1', reach: 'up' }));
    expect(text().split('\n')).toHaveLength(3);
    expect(text()).not.toContain('\u001b');
  });

  it('moves no cursor on what is no terminal, and uses no colours where they are not wanted', () => {
    expect(screenOptions({ write: () => true }, {}, 'en')).toMatchObject({ live: false, colours: false });
    const terminal = { isTTY: true, write: () => true };
    expect(screenOptions(terminal, { TERM: 'xterm' }, 'en')).toMatchObject({ live: true, colours: true });
    expect(screenOptions(terminal, { TERM: 'dumb' }, 'en')).toMatchObject({ live: false, colours: false });
    expect(screenOptions(terminal, { NO_COLOR: '1' }, 'en')).toMatchObject({ live: true, colours: false });
  });
});

function view(now: number): ClusterView {
  const empty = reduce(emptyView(0), { type: 'node', at: 0, node: 'n1', url: 'http://127.0.0.1' });
  return reduce(empty, { type: 'clock', at: now });
}

function memory(traits: { readonly isTTY?: boolean; readonly columns?: number }) {
  const written: string[] = [];
  return { output: { ...traits, write: (text: string) => written.push(text) }, text: () => written.join('') };
}

/** What is left to see after cursor-up and clear-to-end. */
function onTerminal(text: string): string {
  const [first = '', ...rest] = text.split('\u001b[');
  return rest.reduce((shown, part) => {
    const up = /^([0-9]+)A/.exec(part);
    if (up === null) return shown + part.replace(/^0J/, '');
    return `${shown
      .split('\n')
      .slice(0, -1 - Number(up[1]))
      .join('\n')}\n`.replace(/^\n$/, '');
  }, first);
}
