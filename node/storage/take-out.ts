/** Takes out of a list the first that is so. A map that is filled and emptied for ever would keep what was in it for long (ADR 10). */
export function takeOut<T>(list: T[], isIt: (item: T) => boolean): T | undefined {
  const at = list.findIndex(isIt);
  return at < 0 ? undefined : list.splice(at, 1)[0];
}
