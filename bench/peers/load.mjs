/**
 * autocannon as a process of its own: takes `{ url, connections, requests }` as messages from its parent, one at a time,
 * and answers each with `{ seconds, good, bad }`. It lives through all rounds, so that its compiler is warm for everybody alike.
 *
 * All requests are built before the clock starts, because building one costs the generator more than sending it. Each
 * connection gets its share of them.
 */
import autocannon from 'autocannon';

process.on('message', (task) => void load(task));
// The parent's end is ours.
process.on('disconnect', () => process.exit(0));

async function load({ url, connections, requests }) {
  const share = Math.ceil(requests.length / connections);
  let next = 0;
  let first = 0;
  let last = 0;
  const instance = autocannon({
    url,
    connections,
    amount: requests.length,
    // the default drops an answer that takes longer than 10 s, which would hide it
    timeout: 60,
    setupClient(client) {
      const own = requests.slice(next, next + share);
      next += share;
      client.setRequests(own.length > 0 ? own : requests.slice(0, share));
      // Clients are made in one turn, so nothing was sent before the last of them is ready.
      first = performance.now();
    },
  });
  // It ends on the next full second, so the time is taken at the last answer.
  instance.on('response', () => {
    last = performance.now();
  });
  const result = await instance;
  const { errors, timeouts, non2xx } = result;
  process.send({ seconds: (last - first) / 1000, good: result['2xx'], bad: errors + timeouts + non2xx });
}
