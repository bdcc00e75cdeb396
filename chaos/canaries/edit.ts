/**
 * Source changed as it is loaded: what is on disk stays as it is, so nothing needs to be put back, and several changed
 * programs can run at a time. An edit whose place is not there exactly once fails, instead of passing for done.
 */
import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';

export interface Edit {
  /** from the repository's root */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const ROOT = new URL('../../', import.meta.url);

/** The module's text with the edit in it. */
export function edited({ file, find, replace }: Edit, text: string): string {
  const pieces = text.split(find);
  assert.equal(pieces.length, 2, `${pieces.length - 1} places in ${file}, not one, for: ${find}`);
  return pieces.join(replace);
}

/**
 * From now on these files are loaded with these edits.
 *
 * @returns asks which files were not loaded yet: an edit in a module that nobody loads changes nothing
 */
export function editOnLoad(edits: readonly Edit[]): () => readonly string[] {
  const byUrl = Map.groupBy(edits, ({ file }) => new URL(file, ROOT).href);
  const waiting = new Set(edits.map(({ file }) => file));
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const ours = byUrl.get(url);
      if (ours === undefined) return loaded;
      assert(loaded.source !== null && loaded.source !== undefined, `${url} has no text to change`);
      for (const { file } of ours) waiting.delete(file);
      return { ...loaded, source: ours.reduce((text, edit) => edited(edit, text), textOf(loaded.source)) };
    },
  });
  return () => [...waiting];
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  if (typeof source === 'string') return source;
  return new TextDecoder().decode(source);
}
