/**
 * P2: the nodes converge, with progress. In the end all roots are equal, and the state under them contains the writes that
 * were acknowledged after the heal: equal old roots would be no recovery.
 */
import type { HistoryLine } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';

export const convergence: Checker = {
  name: 'convergence',
  claim: 'equal roots everywhere, containing a write made after the heal',
  begin: (nodes) => new Convergence(nodes),
};

class Convergence implements Judge {
  readonly #nodes: readonly string[];
  readonly #roots = new Map<string, string>();
  readonly #violations: Violation[] = [];
  #isHealed = false;
  #fresh = new Set<string>();
  /** of the fresh writes, those that the node under way has shown */
  #shown = new Set<string>();

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    if (line.type === 'mark' && line.mark === 'healed') {
      this.#isHealed = true;
      this.#fresh = new Set();
    }
    if (line.type === 'mark' && line.mark === 'fresh' && line.key !== undefined) this.#fresh.add(line.key);
    if (line.type === 'entries')
      for (const { key } of line.entries) if (this.#fresh.has(key)) this.#shown.add(key);
    if (line.type !== 'final') return;
    for (const key of this.#fresh) {
      if (this.#shown.has(key)) continue;
      this.#violations.push({
        text: `${line.node} lacks ${key}, written after the heal`,
        at: line.at,
        node: line.node,
      });
    }
    this.#shown = new Set();
    this.#roots.set(line.node, line.root);
  }

  verdict(): Finding {
    const unread = this.#nodes.filter((node) => !this.#roots.has(node));
    if (unread.length > 0) return unknown(`no final read of ${unread.join(', ')}`);
    if (!this.#isHealed) return unknown('nothing was healed');
    if (this.#fresh.size === 0) return unknown('no write was acknowledged after the heal');
    const roots = new Set(this.#roots.values());
    const all = [...this.#roots].map(([node, root]) => `${node} ${root.slice(0, 12)}`).join(', ');
    const unlike =
      roots.size === 1 ? [] : [{ text: `${roots.size} different roots: ${all}`, at: null, node: null }];
    const [root = ''] = roots;
    return judged(
      [...unlike, ...this.#violations],
      `root ${root.slice(0, 12)}… on ${this.#nodes.length} nodes, ${this.#fresh.size} fresh writes in it`,
    );
  }
}
