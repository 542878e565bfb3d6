import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greeting } from './greeting.mjs';

test('somebody is greeted by name, and nobody as the world', () => {
  assert.deepEqual(greeting(' Ada ', '1'), { hello: 'Ada', version: '1' });
  assert.deepEqual(greeting(undefined, '1'), { hello: 'world', version: '1' });
});
