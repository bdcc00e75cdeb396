/**
 * Plants one mutant: given with `--import`, it replaces a piece of one module's text as that module is loaded. What is on disk stays
 * as it is, so nothing needs to be put back, and several mutants can run at a time.
 *
 *     AETHEL_MUTANT=<name> node --import ./test/mutants/plant.ts <program>
 */
import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { MUTANT_VARIABLE, mutantNamed, planted } from './mutants.ts';

const mutant = mutantNamed(process.env[MUTANT_VARIABLE] ?? '');
assert(mutant !== null, `${MUTANT_VARIABLE} names no mutant`);
const target = new URL(`../../${mutant.file}`, import.meta.url).href;
let isPlanted = false;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (url !== target) return loaded;
    assert(loaded.source !== null && loaded.source !== undefined, `${mutant.file} has no text to change`);
    isPlanted = true;
    return { ...loaded, source: planted(mutant, textOf(loaded.source)) };
  },
});

process.on('exit', () => {
  // A module that nobody loads would make every mutant of it survive.
  if (isPlanted) return;
  console.error(`${mutant.file} was never loaded`);
  process.exitCode = 4;
});

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  if (typeof source === 'string') return source;
  return new TextDecoder().decode(source);
}
