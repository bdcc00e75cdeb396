/**
 * A sabotaged node: the product's own program with one canary's edits, started by the process cluster in its place.
 *
 *     AETHEL_CANARY=<name> node chaos/canaries/node.ts
 */
import assert from 'node:assert/strict';
import { canaryNamed, CANARY_VARIABLE } from './canaries.ts';
import { editOnLoad } from './edit.ts';

const canary = canaryNamed(process.env[CANARY_VARIABLE] ?? '');
assert(canary !== null, `${CANARY_VARIABLE} names no canary`);
// The node refuses settings that it does not know.
delete process.env[CANARY_VARIABLE];
const missing = editOnLoad(canary.edits);
// Only what is imported from here on is changed. By its address: the lab sees no more of the node than anybody.
await import(new URL('../../node/main.ts', import.meta.url).href);

/** The node loads its rooms once its configuration is read; by its first breath everything is there. */
const LOADED_MS = 20_000;
setTimeout(() => {
  const files = missing();
  if (files.length === 0) return;
  console.error(`never loaded, so never sabotaged: ${files.join(', ')}`);
  process.exit(4);
}, LOADED_MS).unref();
