import { holdWindowUpdates } from './window-updates.ts';

class Counted {
  paused = 0;
  resumed = 0;

  sendPause(): void {
    this.paused += 1;
  }

  sendResume(): void {
    this.resumed += 1;
  }
}

describe('window updates', () => {
  it('are left alone for the first message, whose update accepts the stream', () => {
    const stream = new Counted();
    const received = holdWindowUpdates(stream);
    received(100);
    expect(stream.paused).toBe(0);
    received(100);
    expect(stream.paused).toBe(1);
  });

  it('are sent long before the smallest window of 256 KiB is used up', () => {
    const stream = new Counted();
    const received = holdWindowUpdates(stream);
    for (let sent = 0; sent < 1_048_576; sent += 4_096) received(4_096);
    expect(stream.resumed).toBeGreaterThanOrEqual(8);
    expect(stream.resumed).toBeLessThanOrEqual(16);
    expect(stream.paused).toBeGreaterThan(stream.resumed);
  });

  it('are none of our business with a muxer that knows no such thing', () => {
    expect(() => holdWindowUpdates({})(100)).not.toThrow();
  });
});

describe('yamux, as it is installed', () => {
  it('has what holds its updates back', async () => {
    const { YamuxStream } = (await import(
      new URL('stream.js', import.meta.resolve('@chainsafe/libp2p-yamux')).href
    )) as { YamuxStream: { prototype: object } };
    expect(YamuxStream.prototype).toMatchObject({
      sendPause: expect.any(Function),
      sendResume: expect.any(Function),
    });
  });
});
