/**
 * Clocks for nodes in containers: the image under test stays the product's own. A volume, filled from the image of the
 * network faults, lends every node the library, and holds the files that say what time it is for whom.
 */
import type { ContainerRuntimeClient } from 'testcontainers';
import { labelsOf, runOnce } from './engine.ts';
import { FAULTS_IMAGE } from './image.ts';
import { WorldUnavailableError } from './port.ts';

export const CLOCKS_DIRECTORY = '/lab';
export const CLOCK_LIBRARY = `${CLOCKS_DIRECTORY}/libfaketimeMT.so.1`;

/** Throws WorldUnavailableError where the image does not have the library. */
export async function lendClocks(
  engine: ContainerRuntimeClient,
  runId: string,
  volume: string,
): Promise<void> {
  await engine.container.dockerode.createVolume({ Name: volume, Labels: labelsOf(runId) });
  const { code } = await runOnce(engine, {
    runId,
    image: FAULTS_IMAGE,
    // The nodes' user writes their clocks' files there.
    script: 'cp /usr/lib/*/faketime/libfaketimeMT.so.1 /volume && chmod 777 /volume',
    volume,
  });
  if (code !== 0)
    throw new WorldUnavailableError(`${FAULTS_IMAGE} has no libfaketime`, 'run scripts/base-image.sh');
}
