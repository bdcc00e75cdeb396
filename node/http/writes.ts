/**
 * From a checked request to the node's write, and from its outcome to an answer or a problem: one table for PUT, DELETE
 * and batches alike.
 */
import type { IncomingMessage } from 'node:http';
import type { WriteAnswer } from '../ports.ts';
import type { AckDemand, Precondition, WriteEntry } from '../protocol/border.ts';
import { weakTagsNote } from './etags.ts';
import { HttpProblem } from './problems.ts';
import { hasQuery, parseQuery } from './query.ts';
import type { RouteContext } from './route-context.ts';
import { ACK_TIMEOUT_MS, WriteQuery } from './schemas.ts';
import { standingView } from './views.ts';

type Written = Extract<WriteAnswer, { ok: true }>;
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
export function writtenOf(request: IncomingMessage, outcome: WriteAnswer): Written {
  if (outcome.ok) return outcome;
  throw problemOf(request, outcome);
}

/**
 * A condition is held against what this node has seen. Another node may have seen something else at the same moment, so the answer says
 * how far the condition reached.
 */
export const LOCAL = 'local';

function problemOf(request: IncomingMessage, outcome: Unwritten): HttpProblem {
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
    case 'precondition': {
      const { version, winner } = outcome;
      const what = version === null ? 'The key has no value here.' : `The key is at version ${version}.`;
      return new HttpProblem('precondition-failed', what + weakTagsNote(request), {
        extra: { version, condition: LOCAL, current: standingView(winner) },
      });
    }
    case 'not-found': {
      const { key, index, winner } = outcome;
      const what = `There is nothing to delete: the key ${JSON.stringify(key.slice(0, 80))} has no value here.`;
      const isBatch = request.method === 'POST';
      return new HttpProblem('not-found', isBatch ? `${what} Nothing of the batch was written.` : what, {
        extra: { key, ...(isBatch ? { index } : {}), current: standingView(winner) },
      });
    }
    case 'full': {
      const { bytes, bytesMax } = outcome;
      return new HttpProblem(
        'storage-full',
        `Nothing was written: the state takes ${bytes} of the ${bytesMax} bytes of memory that it may take (AETHEL_STATE_BYTES_MAX). Deleting makes room.`,
        { extra: { accepted: false, state_bytes: bytes, state_bytes_max: bytesMax } },
      );
    }
    case 'invalid':
      return new HttpProblem('bad-request', `The write makes no record: ${outcome.detail.slice(0, 300)}`);
  }
}
