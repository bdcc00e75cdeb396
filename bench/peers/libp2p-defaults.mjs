/**
 * libp2p and gossipsub as whoever reads their documentation gets them: every option is the default, but for the address to
 * listen at, the topic's only member being allowed to publish, and where asked for, the tag that makes libp2p keep a
 * connection. Told by IPC what to do; tells by IPC what happens, with the time.
 *
 * The packages are the product's own, at its versions: they are looked for from the repository's root, since this
 * directory has some of the same names in other versions.
 *
 * @see https://github.com/libp2p/js-libp2p/blob/main/doc/CONNECTION_MANAGER.md for the tag
 */
const root = new URL('../../package.json', import.meta.url).href;
const load = (name) => import(import.meta.resolve(name, root));

const TOPIC = 'bench';
const KEEP_ALIVE = 'keep-alive-bench';

const [{ createLibp2p }, { gossipsub }, { noise }, { yamux }, { tcp }, { identify }, { multiaddr }] =
  await Promise.all(
    [
      'libp2p',
      '@chainsafe/libp2p-gossipsub',
      '@chainsafe/libp2p-noise',
      '@chainsafe/libp2p-yamux',
      '@libp2p/tcp',
      '@libp2p/identify',
      '@multiformats/multiaddr',
    ].map(load),
  );

const [port, keepAlive] = [Number(process.argv[2]), process.argv[3] === 'keep-alive'];
const node = await createLibp2p({
  addresses: { listen: [`/ip4/127.0.0.1/tcp/${port}`] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    gossip: gossipsub({ allowPublishToZeroTopicPeers: true }),
  },
});
const tell = (what, more = {}) => process.send?.({ what, at: Date.now(), ...more });

node.addEventListener('peer:connect', (event) => {
  if (keepAlive) void node.peerStore.merge(event.detail, { tags: { [KEEP_ALIVE]: { value: 100 } } });
});
node.addEventListener('peer:disconnect', () => tell('disconnect'));
node.services.gossip.addEventListener('gossipsub:message', (event) =>
  tell('message', { text: new TextDecoder().decode(event.detail.msg.data) }),
);
node.services.gossip.subscribe(TOPIC);

process.on('message', (order) => {
  if (order.what === 'dial')
    void node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${order.port}`)).catch(() => undefined);
  if (order.what === 'publish')
    void node.services.gossip.publish(TOPIC, new TextEncoder().encode(order.text)).catch(() => undefined);
});
process.on('disconnect', () => process.exit());
tell('ready');
