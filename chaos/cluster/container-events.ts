/** What the engine says about the containers of one run, as it happens: each start and each end. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ContainerRuntimeClient } from 'testcontainers';
import { z } from 'zod';
import { RUN_LABEL } from './engine.ts';

const ContainerEvent = z.object({
  Action: z.enum(['start', 'die']),
  Actor: z.object({ Attributes: z.object({ name: z.string() }) }),
});

/** @returns how to stop listening */
export async function watchContainers(
  engine: ContainerRuntimeClient,
  runId: string,
  tell: (name: string, event: 'start' | 'die') => void,
): Promise<() => void> {
  const stream = await engine.container.dockerode.getEvents({
    filters: { type: ['container'], event: ['start', 'die'], label: [`${RUN_LABEL}=${runId}`] },
  });
  const readable = Readable.from(stream);
  // Broken off: by ourselves, or the engine has gone, and then nothing else works either.
  readable.on('error', () => undefined);
  createInterface({ input: readable }).on('line', (line) => {
    const event = ContainerEvent.safeParse(jsonOf(line));
    if (event.success) tell(event.data.Actor.Attributes.name, event.data.Action);
  });
  return () => readable.destroy();
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
