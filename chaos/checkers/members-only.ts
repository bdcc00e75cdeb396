/**
 * P6: only members take part. Whoever has no key of the cluster is answered 401 or 403, by every node, whatever he tries;
 * what he offered is nowhere, which the other checkers would see as a key that nobody has written.
 */
import type { HistoryLine } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';

export const membersOnly: Checker = {
  name: 'members-only',
  claim: 'who is no member is turned away',
  begin: (nodes) => new MembersOnly(nodes),
};

const TURNED_AWAY = [401, 403];

class MembersOnly implements Judge {
  readonly #untried: Set<string>;
  readonly #violations: Violation[] = [];
  #tries = 0;

  constructor(nodes: readonly string[]) {
    this.#untried = new Set(nodes);
  }

  take(line: HistoryLine): void {
    if (line.type !== 'intrusion') return;
    const { at, node, what, status } = line;
    this.#tries += 1;
    this.#untried.delete(node);
    if (!TURNED_AWAY.includes(status))
      this.#violations.push({ text: `${node} answered ${status} to ${what}`, at, node });
  }

  verdict(): Finding {
    if (this.#untried.size > 0) return unknown(`nobody has tried ${[...this.#untried].join(', ')}`);
    return judged(
      this.#violations,
      this.#violations.length === 0 ? `${this.#tries} tries, all turned away` : `${this.#tries} tries`,
    );
  }
}
