import { renderLine, renderTable, rootCode } from './table.ts';
import type { TableOptions } from './table.ts';
import { emptyView, reduce } from './view.ts';
import type { ClusterView, ViewEvent } from './view.ts';
import { languageOf } from './words.ts';

const PLAIN: TableOptions = { language: 'en', ansi: false, columns: 100, storyLines: 5 };
const ROOT = '0123456789abcdef'.repeat(4);

describe('the table of a cluster', () => {
  it('shows every node with its mode, root, peers, keys, writes and note', () => {
    expect(renderTable(sample(), PLAIN)).toEqual([
      '12.5 s · 1 write acknowledged · 1 refused or unanswered · one root',
      'node  mode  root      peers p2p/http  keys  writes  note',
      'n1    HTTP  01234567  0/1             3     1       p2p cut, P2P→HTTP 2.0 s ago',
      'n2    -     -         -               -     0       down',
      'n3    -     -         -               -     0       starting',
      '[ 10.0 s] ▶ cutting n1',
      '[ 12.0 s] ✓ n1 breathes HTTP',
    ]);
  });

  it('speaks Portuguese', () => {
    const lines = renderTable(sample(), { ...PLAIN, language: 'pt', storyLines: 0 });
    expect(lines[0]).toBe('12.5 s · 1 escrita confirmada · 1 recusada ou sem resposta · uma raiz');
    expect(lines[1]).toMatch(/^nó +modo +raiz/);
    expect(lines[3]).toMatch(/fora do ar$/);
  });

  it('writes no escape sequence without ANSI, and the same text with it', () => {
    const plain = renderTable(sample(), PLAIN);
    const coloured = renderTable(sample(), { ...PLAIN, ansi: true });
    expect(plain.join('')).not.toContain('\u001b');
    expect(coloured.join('')).toContain(`\u001b[${rootCode(ROOT)}m01234567`);
    expect(coloured.map((line) => stripAnsi(line).trimEnd())).toEqual(plain);
  });

  it('never writes beyond the edge of the terminal', () => {
    for (const columns of [1, 10, 33, 60]) {
      for (const line of renderTable(sample(), { ...PLAIN, ansi: true, columns })) {
        expect(stripAnsi(line).length).toBeLessThanOrEqual(columns);
      }
    }
  });

  it('lets no node move the cursor', () => {
    const hostile: ViewEvent = { type: 'node', at: 0, node: 'n\u001b[2J4\n', url: '' };
    const lines = renderTable(reduce(emptyView(0), hostile), PLAIN);
    expect(lines.join('')).not.toMatch(/\p{Cc}/u);
  });

  it('gives equal roots equal colours, and a colour to what is no root', () => {
    expect(rootCode(ROOT)).toBe(rootCode(ROOT));
    expect(rootCode(ROOT)).not.toBe(rootCode(`ff${ROOT.slice(2)}`));
    expect(rootCode('')).toBe('38;5;59');
  });

  it('fits a whole cluster in a line where there is no terminal', () => {
    expect(renderLine(sample(), 'en')).toBe(
      '12.5 s · 1 write acknowledged · 1 refused or unanswered · one root | n1 HTTP 01234567 | n2 down | n3 starting',
    );
  });

  it('draws an empty cluster', () => {
    expect(renderTable(emptyView(0), PLAIN)).toHaveLength(2);
  });
});

describe('the language', () => {
  it.each([
    ['pt_BR.UTF-8', 'pt'],
    ['pt', 'pt'],
    ['pt-PT', 'pt'],
    ['en_US.UTF-8', 'en'],
    ['ptx', 'en'],
    ['C', 'en'],
    [undefined, 'en'],
  ])('of the locale %s is %s', (locale, language) => {
    expect(languageOf(locale)).toBe(language);
  });
});

function sample(): ClusterView {
  const events: readonly ViewEvent[] = [
    ...['n1', 'n2', 'n3'].map((node): ViewEvent => ({
      type: 'node',
      at: 0,
      node,
      url: `http://127.0.0.1/${node}`,
    })),
    {
      type: 'status',
      at: 1000,
      node: 'n1',
      status: {
        peer_id: 'x',
        sync_mode: 'P2P',
        forced_mode: null,
        merkle_root: ROOT,
        state_size: 3,
        peers: [{ peer_id: 'y', p2p: { state: 'dead' }, http: { state: 'alive' } }],
      },
    },
    { type: 'reach', at: 2000, node: 'n2', reach: 'down' },
    { type: 'write', at: 3000, node: 'n1', outcome: 'acknowledged' },
    { type: 'write', at: 3000, node: 'stranger', outcome: 'failed' },
    { type: 'story', at: 10_000, kind: 'step', text: 'cutting n1' },
    { type: 'fault', at: 10_000, node: 'n1', fault: 'p2p cut', state: 'injected' },
    {
      type: 'lattice',
      at: 10_600,
      node: 'n1',
      dated: { id: 1, at: 10_500, event: { type: 'mode', from: 'P2P', to: 'HTTP', reason: 'silence' } },
    },
    { type: 'story', at: 12_000, kind: 'result', text: 'n1 breathes HTTP' },
    { type: 'clock', at: 12_500 },
  ];
  return events.reduce(reduce, emptyView(0));
}

function stripAnsi(line: string): string {
  // oxlint-disable-next-line no-control-regex -- the escape character is what is looked for
  return line.replace(/\u001b\[[0-9;]*m/g, '');
}
