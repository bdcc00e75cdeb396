import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Prints how many of the objects that process.nextTick made until then outlive collections. */
const SURVIVORS = `
import { createHook } from 'node:async_hooks';
const made = [];
const hook = createHook({ init: (id, type, trigger, object) => type === 'TickObject' && made.push(new WeakRef(object)) }).enable();
if (process.env.MODULE !== '') await import(process.env.MODULE);
for (let n = 0; n < 20; n++) await new Promise((resolve) => process.nextTick(resolve));
hook.disable();
for (let n = 0; n < 4; n++) { await new Promise((resolve) => setTimeout(resolve, 1)); gc(); }
console.log(made.length >= 20, made.filter((object) => object.deref() !== undefined).length);
`;

function survivors(module: string): string {
  const { stdout } = spawnSync(
    process.execPath,
    ['--expose-gc', '--no-warnings', '--input-type=module', '--eval', SURVIVORS],
    { env: { ...process.env, MODULE: module }, encoding: 'utf8' },
  );
  return stdout.trim();
}

it('keeps one object of nextTick alive, of which otherwise none survives', () => {
  expect(survivors('')).toBe('true 0');
  expect(survivors(fileURLToPath(new URL('./quick-ticks.ts', import.meta.url)))).toBe('true 1');
});
