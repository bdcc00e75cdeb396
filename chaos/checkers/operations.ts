/** Writes put together from the lines of a history: what was asked, when, of whom, and what it came to. */
import { hash } from 'node:crypto';
import type { HistoryLine, LineOf } from '../history/line.ts';

export interface Write {
  readonly key: string;
  /** JSON text */
  readonly value: string;
  readonly node: string;
  /** versions that it was to replace; null: whatever the node knew */
  readonly knew: readonly string[] | null;
  readonly invokedAt: number;
  /** Infinity: its end was not seen */
  readonly endedAt: number;
  readonly outcome: Outcome;
  /** null where it was not acknowledged */
  readonly version: string | null;
}

/** fail: certainly not done · info: nobody knows */
type Outcome = 'ok' | 'fail' | 'info';

type Invoke = LineOf<'invoke'>;

export class Writes {
  readonly #open = new Map<number, Invoke>();

  /** @returns the writes that this line ends: one, or all of a batch */
  take(line: HistoryLine): readonly Write[] {
    if (line.type === 'invoke') {
      if (line.f === 'write' || line.f === 'batch') this.#open.set(line.op, line);
      return [];
    }
    if (line.type !== 'ok' && line.type !== 'fail' && line.type !== 'info') return [];
    const invoke = this.#open.get(line.op);
    if (invoke === undefined) return [];
    this.#open.delete(line.op);
    return writesOf(invoke, line.type, line.at, versionsOf(line));
  }

  /** Those whose end was not seen: nobody knows. */
  unended(): readonly Write[] {
    return [...this.#open.values()].flatMap((invoke) => writesOf(invoke, 'info', Infinity, []));
  }
}

function writesOf(
  invoke: Invoke,
  outcome: Outcome,
  endedAt: number,
  versions: readonly string[],
): readonly Write[] {
  const { at: invokedAt, node } = invoke;
  const entries: readonly (readonly [string, unknown])[] =
    invoke.f === 'write' ? [[invoke.key, invoke.value]] : invoke.f === 'batch' ? invoke.entries : [];
  const knew = invoke.f === 'write' ? (invoke.knew ?? null) : null;
  return entries.map(([key, value], i) => ({
    key,
    value: JSON.stringify(value),
    node,
    knew,
    invokedAt,
    endedAt,
    outcome,
    version: versions[i] ?? null,
  }));
}

function versionsOf(line: LineOf<'ok' | 'fail' | 'info'>): readonly string[] {
  if (line.type !== 'ok') return [];
  if (line.f === 'write') return [line.version];
  return line.f === 'batch' ? line.versions : [];
}

/**
 * Whether a write may have replaced another of the same key, which then is rightly gone: it may have known it, because it
 * had not ended before the other began. (Unknown to one another, both are kept.)
 */
export function mayReplace(later: Write, earlier: Write): boolean {
  return later !== earlier && later.outcome !== 'fail' && later.endedAt > earlier.invokedAt;
}

/** Every version that a node shows of a key, the winner first. */
export function liveVersions(
  entry: LineOf<'entries'>['entries'][number],
): readonly { readonly version: string; readonly value: string }[] {
  const { id, value, siblings } = entry;
  return [{ version: id, value }, ...siblings].map((live) => ({
    version: live.version,
    value: JSON.stringify(live.value),
  }));
}

/** What a reader is given for a version: the id of the one record, of a conflict a hash over all of them (PROTOCOL.md). */
export function versionOf(ids: readonly string[]): string {
  const [only] = ids;
  if (only !== undefined && ids.length === 1) return only;
  return hash('sha256', `aethel/version/v1\0${ids.toSorted().join('')}`, 'hex');
}
