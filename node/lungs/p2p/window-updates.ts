/**
 * yamux answers every data frame, however small, with a window update, which is a packet of its own to encrypt, write, read
 * and decrypt. Measured: on a stream of heartbeats that is every second packet. So while little has come, the updates are
 * held back; the sender has a window of at least 256 KiB, which is opened again long before it is used up.
 *
 * @see @chainsafe/libp2p-yamux, `stream.ts`: `handleData`, `sendPause`, `sendResume`
 */

/** A quarter of the smallest window. */
const UPDATE_EVERY_BYTES = 65_536;

interface Updating {
  /** no window updates from now on; what arrives is delivered as before */
  sendPause(): void;
  /** sends the update that is due, and those that follow */
  sendResume(): void;
}

/** @returns to be told of each message of this stream while it is delivered, with its size; does nothing with another muxer */
export function holdWindowUpdates(stream: object): (bytes: number) => void {
  if (!isUpdating(stream)) return () => undefined;
  // The first update also accepts the stream.
  let isAccepted = false;
  let held = 0;
  return (bytes) => {
    if (!isAccepted) {
      isAccepted = true;
      return;
    }
    held += bytes;
    if (held >= UPDATE_EVERY_BYTES) {
      held = 0;
      stream.sendResume();
    }
    stream.sendPause();
  };
}

function isUpdating(stream: object): stream is Updating {
  return (
    'sendPause' in stream &&
    typeof stream.sendPause === 'function' &&
    'sendResume' in stream &&
    typeof stream.sendResume === 'function'
  );
}
