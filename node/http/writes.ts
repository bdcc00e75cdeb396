/**
 * From a checked request to the node's write, and from its outcome to an answer or a problem: one table for PUT, DELETE
 * and batches alike.
 */
import type { IncomingMessage } from 'node:http';
import type { WriteAnswer } from '../ports.ts';
import type { AckDemand, Precondition, WriteEntry } from '../protocol/border.ts';
import { HttpProblem } from './problems.ts';
import { hasQuery, parseQuery } from './query.ts';
import type { RouteContext } from './route-context.ts';
import { ACK_TIMEOUT_MS, WriteQuery } from './schemas.ts';

export type Written = Extract<WriteAnswer, { ok: true }>;
type Unwritten = Extract<WriteAnswer, { ok: false }>;

/** `w` and `timeout_ms` of a write; null: this node alone, as `w=1` says too. */
export function ackDemandOf(request: IncomingMessage): AckDemand | null {
  if (!hasQuery(request)) return null;
  const { w, timeout_ms: timeout } = parseQuery(request, WriteQuery);
  if (w === undefined || w === '1') return null;
  const need = w === 'majority' || w === 'all' ? w : Number(w);
  return { need, timeoutMs: timeout === undefined ? ACK_TIMEOUT_MS : Number(timeout) };
}

/** @throws HttpProblem when the node is stopping. `writtenOf` takes what it resolves with */
export function write(
  { api, closing }: Pick<RouteContext, 'api' | 'closing'>,
  entries: readonly WriteEntry[],
  precondition: Precondition | null,
  acks: AckDemand | null,
): Promise<WriteAnswer> {
  if (closing.aborted) throw new HttpProblem('stopping', 'The node is stopping; ask another one.');
  return api.write(entries, precondition, acks);
}

/** @throws HttpProblem when it was not written, or not by as many as were asked for */
export function writtenOf(outcome: WriteAnswer): Written {
  if (outcome.ok) return outcome;
  throw problemOf(outcome);
}

function problemOf(outcome: Unwritten): HttpProblem {
  switch (outcome.reason) {
    case 'acks': {
      const { acks, need, root } = outcome;
      return new HttpProblem(
        'too-few-acks',
        `The write is durable on ${acks} of the ${need} members asked for. It is accepted and will spread; do not take it for lost.`,
        { extra: { accepted: true, acks, need, merkle_root: root } },
      );
    }
    case 'members': {
      const { reachable, need } = outcome;
      return new HttpProblem(
        'too-few-members',
        `Nothing was written: it needs ${need} members, and ${reachable} can be reached, this one included.`,
        { extra: { accepted: false, reachable, need } },
      );
    }
    case 'clock':
      return new HttpProblem('bad-clock', `Nothing was written: ${outcome.detail}`, {
        extra: { accepted: false },
      });
    case 'twin':
      return new HttpProblem('identity-in-use', `Nothing was written: ${outcome.detail}.`, {
        extra: { accepted: false },
      });
    case 'precondition':
      return new HttpProblem(
        'precondition-failed',
        outcome.version === null ? 'The key has no value here.' : `The key is at version ${outcome.version}.`,
        { extra: { version: outcome.version } },
      );
    case 'not-found':
      return new HttpProblem('not-found', 'There is nothing to delete: this key has no value here.');
    case 'invalid':
      return new HttpProblem('bad-request', `The write makes no record: ${outcome.detail.slice(0, 300)}`);
  }
}
