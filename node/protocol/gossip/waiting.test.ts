import { testIdentity, testRecord } from '../state/test-records.ts';
import { WaitingRecords } from './waiting.ts';

const author = testIdentity(1);
const record = (sequence: number, valueBytes: number) =>
  testRecord({ author, sequence, value: JSON.stringify('x'.repeat(valueBytes)) });

describe('records that wait to be sent', () => {
  it('are bounded by their bytes: the oldest go, whatever their number', () => {
    const waiting = new WaitingRecords({ waitingMax: 1_000, waitingBytesMax: 100_000 });
    for (let n = 1; n <= 20; n += 1) waiting.push([record(n, 20_000)]);
    const left = waiting.take(Infinity);
    expect(left.map(({ dot }) => dot.sequence)).toEqual([17, 18, 19, 20]);
  });

  it('are bounded by their number too', () => {
    const waiting = new WaitingRecords({ waitingMax: 3, waitingBytesMax: 100_000 });
    waiting.push([1, 2, 3, 4, 5].map((n) => record(n, 10)));
    expect(waiting.take(Infinity).map(({ dot }) => dot.sequence)).toEqual([3, 4, 5]);
    expect(waiting.length).toBe(0);
  });

  it('leave room again for what is taken or cleared', () => {
    const waiting = new WaitingRecords({ waitingMax: 100, waitingBytesMax: 50_000 });
    waiting.push([record(1, 20_000), record(2, 20_000)]);
    expect(waiting.take(1)).toHaveLength(1);
    waiting.push([record(3, 20_000)]);
    expect(waiting.length).toBe(2);
    waiting.clear();
    waiting.push([record(4, 20_000), record(5, 20_000)]);
    expect(waiting.take(Infinity)).toHaveLength(2);
  });
});
