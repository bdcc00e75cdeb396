/**
 * Loaded into a node process before its own code (`node --import`): when the twin that started it is gone, by whatever
 * death, the channel between them closes and the node stops, as after SIGTERM. No node outlives its twin unnoticed.
 */

/** The node's own stop takes at most five seconds. */
const STOP_BUDGET_MS = 6000;

if (process.channel !== undefined) {
  process.on('disconnect', () => {
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), STOP_BUDGET_MS).unref();
    process.kill(process.pid, 'SIGTERM');
  });
  // The channel alone does not keep the process alive.
  process.channel.unref();
}
