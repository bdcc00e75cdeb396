/**
 * Money neither appears nor vanishes. Transfers are immutable facts of one record each, so at every read on every node the
 * balances sum up to what the accounts were opened with. In the end, when all transfers are everywhere, no account is below
 * zero, since each is spent by one client only, from what it had seen.
 */
import type { HistoryLine, LineOf } from '../history/line.ts';
import { judged, unknown } from './checker.ts';
import type { Checker, Finding, Judge, Violation } from './checker.ts';

export const conservation: Checker = {
  name: 'conservation',
  claim: 'the sum of all accounts is the same at every read on every node',
  begin: (nodes) => new Conservation(nodes),
};

export const BANK_PREFIX = 'bank/';
const READS_MIN = 10;

/** `from` null: the account is opened with it. */
export interface Transfer {
  readonly from: string | null;
  readonly to: string;
  readonly amount: number;
}

/** @returns null where a value is none */
export function asTransfer(value: unknown): Transfer | null {
  if (typeof value !== 'object' || value === null) return null;
  if (!('from' in value) || !('to' in value) || !('amount' in value)) return null;
  const { from, to, amount } = value;
  if ((from !== null && typeof from !== 'string') || typeof to !== 'string') return null;
  return typeof amount === 'number' && Number.isSafeInteger(amount) ? { from, to, amount } : null;
}

/** Adds a transfer up. */
export function book(balances: Map<string, number>, { from, to, amount }: Transfer): void {
  if (from !== null) balances.set(from, (balances.get(from) ?? 0) - amount);
  balances.set(to, (balances.get(to) ?? 0) + amount);
}

class Conservation implements Judge {
  readonly #nodes: readonly string[];
  readonly #violations: Violation[] = [];
  readonly #final = new Set<string>();
  #balances = new Map<string, number>();
  #opened = 0;
  #reads = 0;
  #transfers = 0;
  /** The accounts are readable everywhere. */
  #isSteady = false;

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  take(line: HistoryLine): void {
    if (line.type === 'invoke' && line.f === 'write' && line.key.startsWith(BANK_PREFIX)) {
      const transfer = asTransfer(line.value);
      if (transfer?.from === null) this.#opened += transfer.amount;
    }
    if (line.type === 'mark' && line.mark === 'steady') this.#isSteady = true;
    if (line.type === 'ok' && line.f === 'balances' && this.#isSteady) this.#balancesRead(line);
    if (line.type === 'entries') this.#entries(line);
    if (line.type === 'final') this.#ended(line);
  }

  verdict(): Finding {
    if (this.#opened === 0) return unknown('no account was opened');
    if (this.#reads < READS_MIN) return unknown(`only ${this.#reads} reads of the accounts`);
    const unread = this.#nodes.filter((node) => !this.#final.has(node));
    if (unread.length > 0) return unknown(`no final read of ${unread.join(', ')}`);
    return judged(
      this.#violations,
      `${this.#opened} in all accounts at ${this.#reads} reads, of up to ${this.#transfers} transfers`,
    );
  }

  #balancesRead({ at, node, balances, transfers }: Extract<LineOf<'ok'>, { readonly f: 'balances' }>): void {
    this.#reads += 1;
    this.#transfers = Math.max(this.#transfers, transfers);
    this.#checkSum(Object.values(balances), at, node);
  }

  #entries({ at, node, entries }: LineOf<'entries'>): void {
    for (const { key, value } of entries) {
      if (!key.startsWith(BANK_PREFIX)) continue;
      const transfer = asTransfer(value);
      if (transfer === null) this.#violations.push({ text: `${key} on ${node} is no transfer`, at, node });
      else book(this.#balances, transfer);
    }
  }

  #ended({ at, node }: LineOf<'final'>): void {
    if (this.#opened === 0) return;
    this.#final.add(node);
    this.#checkSum([...this.#balances.values()], at, node);
    for (const [account, balance] of this.#balances) {
      if (balance < 0)
        this.#violations.push({ text: `${account} is at ${balance} in the end on ${node}`, at, node });
    }
    this.#balances = new Map();
  }

  #checkSum(balances: readonly number[], at: number, node: string): void {
    const sum = balances.reduce((total, balance) => total + balance, 0);
    if (sum !== this.#opened)
      this.#violations.push({ text: `${node} has ${sum} in all accounts, not ${this.#opened}`, at, node });
  }
}
