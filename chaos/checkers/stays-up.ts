/** No node ends unless it is made to: a crash is a failure, also one when it is asked to stop, however well its start afterwards goes. */
import type { HistoryLine } from '../history/line.ts';
import { judged } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';

export const staysUp: Checker = {
  name: 'stays-up',
  claim: 'no node ends by itself',
  begin: () => new StaysUp(),
};

class StaysUp implements Judge {
  readonly #deaths: Violation[] = [];

  take(line: HistoryLine): void {
    if (line.type !== 'died') return;
    const { node, at, exitCode, said } = line;
    const how = exitCode === null ? 'by a signal' : `with exit code ${exitCode}`;
    this.#deaths.push({ text: `${node} ended by itself ${how}: ${said}`, at, node });
  }

  verdict(): Finding {
    return judged(this.#deaths, 'nodes ended only when they were made to');
  }
}
