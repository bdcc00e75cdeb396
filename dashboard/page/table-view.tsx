/** The same as the graph, as a table: for screen readers, for many nodes, and for those who prefer figures. */
import { StateMark } from './bank.tsx';
import { looksOf } from './look.ts';
import { usePage } from './page-context.ts';

export function TableView() {
  const { view, words, figures, selected, select } = usePage();
  const headings = [
    words.node,
    words.mode,
    words.state,
    words.root,
    words.peers,
    words.keys,
    words.writes,
    words.arrivals,
    words.condition,
  ];
  return (
    <div class="table-view" tabIndex={0} role="group" aria-label={words.table}>
      <table class="grid">
        <thead>
          <tr>
            {headings.map((heading) => (
              <th key={heading} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {looksOf(view).map(({ node, group, condition, isOut }) => {
            const said = isOut ? null : node.said;
            const { gossip, push, sync } = node.arrivals;
            return (
              <tr key={node.name} class={isOut ? 'is-out' : ''}>
                <th scope="row">
                  <button
                    type="button"
                    class="chip"
                    aria-pressed={selected === node.name}
                    onClick={() => select(selected === node.name ? null : node.name)}
                  >
                    {node.name}
                  </button>
                </th>
                <td>
                  {said === null ? (
                    '–'
                  ) : (
                    <span class={`mode mode-${said.mode.toLowerCase()}`}>{said.mode}</span>
                  )}
                </td>
                <td>
                  <StateMark group={group} />
                </td>
                <td>
                  <code>{said?.root.slice(0, 12) ?? '–'}</code>
                </td>
                <td>{said === null ? '–' : `${said.aliveP2p} / ${said.aliveHttp}`}</td>
                <td>{said === null ? '–' : figures.count(said.size)}</td>
                <td>
                  {figures.count(node.writes.acknowledged)}
                  {node.writes.failed > 0 && (
                    <span class="is-bad"> ({figures.count(node.writes.failed)} ✗)</span>
                  )}
                </td>
                <td>
                  {figures.count(gossip)} / {figures.count(push)} / {figures.count(sync)}
                </td>
                <td class={condition === null ? '' : 'is-bad'}>
                  {condition === null ? '' : words.conditions[condition]}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
