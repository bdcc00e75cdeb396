/** Opens the control room on a cluster that is up, says where, and keeps it open until it is asked to end. */
import { randomBytes } from 'node:crypto';
import type { PageFiles } from '../../../dashboard/build.ts';
import type { Cluster } from '../../cluster/port.ts';
import type { DemoWords } from '../words.ts';
import { Feed } from './feed.ts';
import { loopbackHosts } from './guard.ts';
import { Room } from './room.ts';
import { listenOn, roomApp } from './server.ts';
import type { TourPace } from './tour.ts';

export interface RoomSite {
  readonly cluster: Cluster;
  readonly page: PageFiles;
  /** null: the usual one, or one of the next that is free */
  readonly port: number | null;
  /** the interface; 127.0.0.1 but in a container, whose port is published on the host's 127.0.0.1 */
  readonly host: string;
  readonly words: DemoWords;
  readonly tell: (line: string) => void;
  readonly pace?: TourPace;
}

const PORT = 7000;
const PORTS_TRIED = 20;

/** Resolves when the signal has ended it. Throws where no port is free. */
export async function openRoom(site: RoomSite, signal: AbortSignal): Promise<void> {
  const { cluster, page, words, tell } = site;
  const token = randomBytes(24).toString('base64url');
  let hosts: readonly string[] = [];
  const feed: Feed = new Feed(() => room.view);
  const room = new Room(
    cluster,
    (event) => feed.append(event),
    site.pace === undefined ? {} : { pace: site.pace },
  );
  const app = roomApp({ page, feed, desk: room }, () => ({ token, hosts }));
  const ports = site.port === null ? Array.from({ length: PORTS_TRIED }, (_, i) => PORT + i) : [site.port];
  const server = await listenOn(app, site.host, ports);
  hosts = loopbackHosts(server.port);
  try {
    if (site.port === null && server.port !== PORT) tell(words.portTaken(PORT, server.port));
    tell(words.open(`http://127.0.0.1:${server.port}`));
    await room.run(signal);
  } finally {
    feed.close();
    await server.close();
  }
}
