/** One way into every world. Each is loaded only where it is used: testcontainers alone takes half a second. */
import type { ProcessClusterOptions } from './processes.ts';
import type { Cluster, ClusterOptions, LabCluster, LabWorld, World } from './port.ts';

/** Throws WorldUnavailableError, NodeStartError, or the signal's reason. */
export async function openCluster(
  world: World,
  options: ClusterOptions & Pick<ProcessClusterOptions, 'main'>,
): Promise<Cluster> {
  switch (world) {
    case 'containers':
      return (await import('./containers.ts')).startContainerCluster(options);
    case 'processes':
      return (await import('./processes.ts')).startProcessCluster(options);
  }
}

/** As `openCluster`; a simulated one by this seed. */
export async function openLabCluster(
  world: LabWorld,
  options: ClusterOptions & Pick<ProcessClusterOptions, 'main'> & { readonly seed: number },
): Promise<LabCluster> {
  if (world !== 'simulated') return openCluster(world, options);
  return (await import('./simulated.ts')).startSimulatedCluster(options);
}
