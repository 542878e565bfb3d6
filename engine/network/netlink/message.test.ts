import { expect, test } from 'vitest';
import { StackError } from '../../../schemas/errors.ts';
import type { NetworkVerbs } from '../../../schemas/kernel.ts';
import { decode, encode, type Request } from './message.ts';
import { send } from './netlink.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/\s/g, ''), 'hex');
const request = (about: string, tolerate?: string[]): Request => ({
  type: 0x10,
  flags: 0x400,
  body: Buffer.from('abcde'),
  about,
  ...(tolerate ? { tolerate } : {}),
});

/** NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS: -17 for sequence 2, NLMSGERR_ATTR_MSG "taken". */
const capped = bytes(`
  30000000 0200 0003 02000000 00000000
  efffffff 15000000 1000 0504 02000000 00000000
  0a00 0100 74616b656e00 0000`);

test('a batch numbers its messages from 1 and pads each to four bytes', () => {
  expect(encode([request('a'), request('b')])).toEqual(
    bytes(`15000000 1000 0104 01000000 00000000 6162636465 000000
           15000000 1000 0104 02000000 00000000 6162636465 000000`),
  );
});

test('a refusal carries the text of the extended acknowledgement, header or whole request echoed', () => {
  expect(decode(capped)).toEqual({ answers: [], refusals: [{ index: 1, errno: 17, text: 'taken' }] });
  const whole = bytes(`
    38000000 0200 0002 02000000 00000000
    efffffff 15000000 1000 0504 02000000 00000000 6162636465 000000
    0a00 0100 74616b656e00 0000`);
  expect(decode(whole).refusals).toEqual([{ index: 1, errno: 17, text: 'taken' }]);
});

test('acknowledgements and ends of dumps are no refusals; what does not fit is left out', () => {
  const done = bytes('14000000 0300 0200 01000000 00000000 00000000');
  const ack = bytes('24000000 0200 0001 01000000 00000000 00000000 15000000 1000 0504 01000000 00000000');
  const link = bytes('14000000 1000 0200 01000000 00000000 0a0b0c0d');
  const cut = bytes('ff000000 1000 0200 01000000 00000000');
  const { answers, refusals } = decode(Buffer.concat([done, ack, link, cut]));
  expect(refusals).toEqual([]);
  expect(answers).toEqual([{ index: 0, type: 0x10, body: bytes('0a0b0c0d') }]);
});

test('an error says what was asked, the errno and the kernel’s own words; a tolerated one is none', async () => {
  const kernel = { netlink: async () => capped } as unknown as NetworkVerbs;
  const refused = await send(kernel, 0, null, [request('make a'), request('make b')]).catch((error) => error);
  expect(refused).toBeInstanceOf(StackError);
  expect(refused).toMatchObject({
    code: 'network.kernel',
    errno: 'EEXIST',
    message: 'The kernel refused to make b: EEXIST (taken).',
  });
  expect(await send(kernel, 0, null, [request('make a'), request('make b', ['EEXIST'])])).toEqual([]);
});

test('what the kernel lacks has a code of its own', async () => {
  const unknown = Buffer.from(capped);
  unknown.writeInt32LE(-95, 16);
  const kernel = { netlink: async () => unknown } as unknown as NetworkVerbs;
  await expect(send(kernel, 0, null, [request('make a'), request('make b')])).rejects.toMatchObject({
    code: 'host.kernel-feature',
    errno: 'EOPNOTSUPP',
  });
  const none = Object.assign(new Error('socket AF_NETLINK: Protocol not supported'), { code: 'EPROTONOSUPPORT' });
  const without = { netlink: () => Promise.reject(none) } as unknown as NetworkVerbs;
  await expect(send(without, 12, null, [request('make a')])).rejects.toMatchObject({
    code: 'host.kernel-feature',
    message: 'The kernel has no nftables: socket AF_NETLINK: Protocol not supported.',
  });
});
