/**
 * What a start tells of the slot that it took. A slot without state is how a cluster loses its data without a word: the
 * volume is another one, or a slot was removed, and everything looks healthy.
 */
import type { Logger } from '../ports.ts';
import type { Slot } from './slots.ts';

/** The first `up` makes the key and all slots within minutes, in any order; what is older was there before. */
const OLD_MS = 5 * 60_000;
const ADVICE = 'see "What keeps your data" in docs/OPERATIONS.md';

interface News {
  readonly level: 'info' | 'warn';
  readonly message: string;
}

/**
 * @param keyMadeAt when the file with the cluster's key was written, in ms since the epoch; null: it is in no file
 * @param now ms since the epoch
 */
export function tellSlot(
  logger: Logger,
  slot: Pick<Slot, 'number' | 'dir' | 'isNew' | 'others'>,
  keyMadeAt: number | null,
  now: number,
): void {
  const { number, dir, isNew, others } = slot;
  const fields = { tag: 'STARTUP', slot: number, dir, new: isNew, other_slots_with_state: others.length };
  logger.info(`State slot ${number}`, fields);
  const news = newsOf(slot, keyMadeAt, now);
  if (news !== null) logger[news.level](news.message, { tag: 'STARTUP', slot: number });
}

export function newsOf(
  { number, isNew, others }: Pick<Slot, 'number' | 'isNew' | 'others'>,
  keyMadeAt: number | null,
  now: number,
): News | null {
  if (!isNew) return null;
  if (others.length > 0) {
    const hold = others.length === 1 ? '1 other slot holds' : `${others.length} other slots hold`;
    // The lower a slot, the earlier it is taken: this one was there before those.
    const isGap = others.some((other) => other.number > number && now - other.since > OLD_MS);
    const message = `slot ${number} is new; ${hold} state`;
    return isGap
      ? { level: 'warn', message: `${message}, also above it: ${ADVICE}` }
      : { level: 'info', message };
  }
  if (keyMadeAt === null || now - keyMadeAt < OLD_MS) return null;
  return {
    level: 'warn',
    message: `this cluster starts empty although its key is ${ageText(now - keyMadeAt)} old: no slot holds state; ${ADVICE}`,
  };
}

function ageText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`;
}
