/**
 * Plants one mutant: given with `--import`, it replaces a piece of one module's text as that module is loaded. What is on disk stays
 * as it is, so nothing needs to be put back, and several mutants can run at a time.
 *
 *     AETHEL_MUTANT=<name> node --import ./test/mutants/plant.ts <program>
 */
import assert from 'node:assert/strict';
import { editOnLoad } from '../../chaos/canaries/edit.ts';
import { MUTANT_VARIABLE, mutantNamed } from './mutants.ts';

const mutant = mutantNamed(process.env[MUTANT_VARIABLE] ?? '');
assert(mutant !== null, `${MUTANT_VARIABLE} names no mutant`);
const missing = editOnLoad([mutant]);

process.on('exit', () => {
  // A module that nobody loads would make every mutant of it survive.
  if (missing().length === 0) return;
  console.error(`${mutant.file} was never loaded`);
  process.exitCode = 4;
});
