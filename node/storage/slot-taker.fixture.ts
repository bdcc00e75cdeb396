/** A process that takes a slot, says which, and lives until it is ended. With `state` it leaves an identity there. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { takeSlot } from './slots.ts';

const [dir = '', place = '', leaves = ''] = process.argv.slice(2);
const slot = await takeSlot({ dir, place: place === '' ? null : Number(place) });
if (leaves === 'state') writeFileSync(join(slot.dir, 'identity.key'), 'x');
process.send?.({ number: slot.number, isNew: slot.isNew, others: slot.others });
setInterval(() => undefined, 60_000);
