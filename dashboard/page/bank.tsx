/** The bank: what each node's own entries add up to, and the accounts. */
import type { Books } from '../room/model.ts';
import { letterOf, looksOf } from './look.ts';
import { usePage } from './page-context.ts';

/** Newest transfers shown. */
const RECENT = 4;

export function BankView() {
  const { view, words, figures } = usePage();
  const { books } = view;
  if (books === null) return <p class="quiet">{words.connecting}</p>;
  const looks = new Map(looksOf(view).map((look) => [look.node.name, look]));
  const present = books.nodes.filter(({ node }) => looks.get(node)?.isOut === false);
  const isIntact = present.length > 0 && present.every(({ sum }) => sum === books.issued);
  return (
    <div class="bank" tabIndex={0} role="group" aria-label={words.bank}>
      <div class="bank-left">
        <div class={`bank-sum ${isIntact ? 'is-good' : 'is-bad'}`}>
          <span>{words.sum}</span>
          <strong>{figures.money(present[0]?.sum ?? books.issued)}</strong>
          <span>{isIntact ? `✓ ${words.onEveryNode}` : `✗ ${words.sumBroken}`}</span>
        </div>
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">{words.node}</th>
              <th scope="col">{words.state}</th>
              <th scope="col" class="is-number">
                {words.sum}
              </th>
              <th scope="col" class="is-number">
                {words.transfers}
              </th>
              <th scope="col" class="is-number">
                {words.missing}
              </th>
            </tr>
          </thead>
          <tbody>
            {books.nodes.map((node) => {
              const look = looks.get(node.node);
              return (
                <tr key={node.node} class={look?.isOut === true ? 'is-out' : ''}>
                  <th scope="row">{node.node}</th>
                  <td>
                    <StateMark group={look?.group ?? null} />
                    {look?.condition ? words.conditions[look.condition] : ''}
                  </td>
                  <td class="is-number">
                    {figures.money(node.sum)} {node.sum === books.issued ? '✓' : '✗'}
                  </td>
                  <td class="is-number">{figures.count(node.transfers)}</td>
                  <td class={`is-number${node.missing > 0 ? ' is-warn' : ''}`}>
                    {figures.count(node.missing)}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
        <table class="grid">
          <caption>
            {words.lastTransfers} · {figures.count(books.acknowledged)} {words.acknowledged}
          </caption>
          <tbody>
            {books.recent.slice(0, RECENT).map((transfer) => (
              <tr key={transfer.id}>
                <td>
                  {books.accounts[transfer.from]} → {books.accounts[transfer.to]}
                </td>
                <td class="is-number">{figures.money(transfer.amount)}</td>
                <td class="quiet">
                  {words.via} {transfer.via}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Accounts books={books} nodes={present.map(({ node }) => node)} />
    </div>
  );
}

export function StateMark({ group }: { readonly group: number | null }) {
  if (group === null) return null;
  return <span class={`state-mark state-${Math.min(4, group)}`}>{letterOf(group)}</span>;
}

function Accounts({ books, nodes }: { readonly books: Books; readonly nodes: readonly string[] }) {
  const { words, figures } = usePage();
  const shown = books.nodes.filter(({ node }) => nodes.includes(node));
  const most = Math.max(1, ...shown.flatMap(({ balances }) => balances));
  return (
    <table class="grid accounts">
      <thead>
        <tr>
          <th scope="col">{words.account}</th>
          <th scope="col" class="is-number">
            {words.balance}
          </th>
        </tr>
      </thead>
      <tbody>
        {books.accounts.map((account, index) => {
          const balances = shown.map((node) => node.balances[index] ?? 0);
          const [first = 0] = balances;
          return (
            <tr key={account}>
              <th scope="row">
                <span class="account">
                  {account}
                  <meter min={0} max={most} value={Math.max(0, first)} aria-hidden="true" />
                </span>
              </th>
              <td class="is-number">
                {figures.money(first)}
                {balances.some((balance) => balance !== first) && <span class="is-warn"> ≠</span>}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
