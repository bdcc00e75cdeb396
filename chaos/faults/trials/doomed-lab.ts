/**
 * A lab that is going to be killed (../trials/lab-death.ts): opens a cluster, cuts one node off, stops another, says so
 * on its standard output, and waits for its death. A third argument names what runs as a node, in processes.
 */
import { openCluster } from '../../cluster/open.ts';
import { startProcessCluster } from '../../cluster/processes.ts';
import { isolate } from '../partition.ts';

const [world, runId, main] = process.argv.slice(2);
if ((world !== 'containers' && world !== 'processes') || runId === undefined)
  throw new Error('usage: doomed-lab.ts containers|processes <run> [main]');

// All that there is to leave behind.
const prepare = { clocks: false, smallDisks: true };
const cluster =
  main === undefined
    ? await openCluster(world, { nodes: 3, runId, prepare })
    : await startProcessCluster({ nodes: 3, runId, main, prepare });
const names = cluster.nodes.map(({ name }) => name);
const how = world === 'containers' ? 'cgroup' : 'sigstop';
await cluster
  .fault({ kind: 'partition', grudges: isolate(names, 'node1'), scope: 'p2p', how: 'drop' })
  .inject({ probes: false });
await cluster.fault({ kind: 'freeze', nodes: ['node2'], how }).inject();
console.log('struck');
// Whoever started it kills it long before.
setTimeout(() => process.exit(1), 600_000);
