/** Operations as clients do them: each is noted when it is invoked, and again with what it came to. */
import type { BatchResult, FoundEntry, NodeClient, WriteResult } from '../cluster/client.ts';
import { NodeUnreachableError } from '../cluster/client.ts';
import { asTransfer, BANK_PREFIX, book } from '../checkers/conservation.ts';
import type { History } from '../history/history.ts';
import type { Member } from './member.ts';

/** When it was asked, and when the answer was there, on the history's clock. */
export interface Took {
  readonly invokedAt: number;
  readonly endedAt: number;
}

export class Recorder {
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  /** @param knew versions read before at this node: the write is to replace the first, and with it the others */
  async write(
    { node: { name }, client }: Member,
    key: string,
    value: unknown,
    knew?: readonly string[],
  ): Promise<WriteResult & Took> {
    const op = this.#history.nextOp();
    const asked = { op, node: name, f: 'write', key, value } as const;
    const invokedAt = this.#history.add({
      type: 'invoke',
      ...asked,
      ...(knew === undefined ? {} : { knew }),
    });
    const result = await client.put(key, value, knew?.[0]);
    const endedAt =
      result.outcome === 'ok'
        ? this.#history.add({ type: 'ok', f: 'write', op, node: name, version: result.version })
        : this.#not(op, name, result);
    return { ...result, invokedAt, endedAt };
  }

  async batch(
    { node: { name }, client }: Member,
    entries: readonly (readonly [key: string, value: unknown])[],
  ): Promise<BatchResult> {
    const op = this.#history.nextOp();
    this.#history.add({ type: 'invoke', f: 'batch', op, node: name, entries });
    const result = await client.batch(entries);
    if (result.outcome === 'ok')
      this.#history.add({ type: 'ok', f: 'batch', op, node: name, versions: result.versions });
    else this.#not(op, name, result);
    return result;
  }

  /** @returns undefined when the node gave no answer */
  async read({ node: { name }, client }: Member, key: string): Promise<FoundEntry | null | undefined> {
    const op = this.#history.nextOp();
    this.#history.add({ type: 'invoke', f: 'read', op, node: name, key });
    const found = await answered(client.get(key));
    if (found instanceof NodeUnreachableError) {
      this.#not(op, name, { outcome: 'fail', reason: found.message });
      return undefined;
    }
    this.#history.add({ type: 'ok', f: 'read', op, node: name, found: found === null ? null : shown(found) });
    return found;
  }

  /** All accounts, from all transfers that this node has. @returns null when it gave no answer */
  async balances({ node: { name }, client }: Member): Promise<ReadonlyMap<string, number> | null> {
    const op = this.#history.nextOp();
    this.#history.add({ type: 'invoke', f: 'balances', op, node: name });
    const found = await answered(addUp(client));
    if (found instanceof NodeUnreachableError) {
      this.#not(op, name, { outcome: 'fail', reason: found.message });
      return null;
    }
    const { transfers, balances } = found;
    this.#history.add({
      type: 'ok',
      f: 'balances',
      op,
      node: name,
      transfers,
      balances: Object.fromEntries(balances),
    });
    return balances;
  }

  #not(
    op: number,
    node: string,
    { outcome, reason }: { readonly outcome: 'fail' | 'info'; readonly reason: string },
  ): number {
    return this.#history.add({ type: outcome, op, node, reason });
  }
}

/** What cannot be reached has answered nothing; any other error is the lab's own. */
async function answered<T>(answer: Promise<T>): Promise<T | NodeUnreachableError> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NodeUnreachableError) return error;
    throw error;
  }
}

function shown({ value, version, conflict, siblings }: FoundEntry) {
  return {
    value,
    version,
    conflict,
    siblings: siblings.map((sibling) => ({ version: sibling.version, value: sibling.value })),
  };
}

async function addUp(
  client: NodeClient,
): Promise<{ readonly transfers: number; readonly balances: Map<string, number> }> {
  const balances = new Map<string, number>();
  let transfers = 0;
  for await (const { entries } of client.pages(BANK_PREFIX)) {
    for (const { key, value } of entries) {
      if (!key.startsWith(BANK_PREFIX)) return { transfers, balances };
      const transfer = asTransfer(value);
      if (transfer === null) continue;
      book(balances, transfer);
      transfers += 1;
    }
  }
  return { transfers, balances };
}
