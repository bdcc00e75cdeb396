/** Another version to upgrade to: the image under test with one label more, so that it is another image. */
import { connectEngine, labelsOf } from '../../cluster/engine.ts';
import { ensureNodeImage, NODE_IMAGE } from '../../cluster/image.ts';

export const NEXT_IMAGE = 'aethel/node:lab-next';

/** @returns how to remove it */
export async function makeNextImage(): Promise<() => Promise<void>> {
  const engine = await connectEngine();
  await ensureNodeImage(engine, () => undefined, undefined);
  const { dockerode } = engine.container;
  const draft = await dockerode.createContainer({
    Image: NODE_IMAGE,
    Labels: labelsOf(`next-${process.pid}`),
  });
  const { Mounts: mounts } = await draft.inspect();
  const [repo, tag] = NEXT_IMAGE.split(':');
  try {
    await draft.commit({ repo, tag, changes: 'LABEL aethel.lab.next=1' });
  } finally {
    // The image declares a volume, which gets no name here and stays unless it is asked for.
    await draft.remove({ force: true, v: true });
  }
  const { Volumes: volumes } = await dockerode.listVolumes();
  const left = volumes.find((volume) => mounts.some(({ Name: name }) => name === volume.Name));
  if (left !== undefined) throw new Error(`left behind: volume ${left.Name}`);
  return async () => void (await dockerode.getImage(NEXT_IMAGE).remove({ force: true }));
}
