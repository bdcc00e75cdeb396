/** Ids for tests, the same in every run. */
import { hash } from 'node:crypto';
import type { RecordId } from '../../ids.ts';
import { TEST_SALT } from '../test-records.ts';
import { ShortIds, type ShortId } from './short-id.ts';

const SHORT_IDS = new ShortIds(TEST_SALT);

/** The nth id of a family. */
export function testId(family: string | number, n: number): RecordId {
  return hash('sha256', `${family} ${n}`, 'hex') as RecordId;
}

export function testShorts(family: string | number, count: number): readonly ShortId[] {
  return Array.from({ length: count }, (_, n) => SHORT_IDS.of(testId(family, n)));
}
