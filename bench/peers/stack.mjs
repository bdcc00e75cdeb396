/**
 * A whole stack as a process of its own, told by its parent what to do: `{ call, argument }` one at a time, each answered by
 * `{ result }` or `{ error }`.
 *
 *     write    [{ key, value }]   one after the other, as its interface has it; results in the bytes of its signed records
 *     dial     port               connects to the other one through that port of 127.0.0.1
 *     holds    count              resolves once it holds so many records
 *
 * It ends with its parent.
 */
export function serve(port, calls) {
  process.on('disconnect', () => process.exit(0));
  const answer = async ({ call, argument }) => {
    try {
      process.send({ result: (await calls[call](argument)) ?? null });
    } catch (error) {
      process.send({ error: String(error?.stack ?? error) });
    }
  };
  process.on('message', (told) => void answer(told));
  process.send({ result: port });
}
