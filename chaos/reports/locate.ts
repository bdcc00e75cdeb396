/** Where on the timeline a reader should look for something that a checker says in words. */
import type { Timeline } from './timeline.ts';

/** @returns null where the words name no time, no write and no struck node */
export function locate(text: string, timeline: Timeline): number | null {
  const named = /\bat (-?\d+(?:\.\d+)?) ms\b/.exec(text)?.[1];
  if (named !== undefined) return Number(named);
  const words = new Set(text.split(/[\s,;]+/));
  const write = timeline.writes.find(({ key }) => words.has(key));
  if (write !== undefined) return write.ackedAt;
  const band = timeline.bands.find(({ nodes }) => nodes.some((node) => words.has(node)));
  return band?.from ?? null;
}
