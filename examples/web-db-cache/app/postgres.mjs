// A PostgreSQL client as small as this example needs: start-up, SCRAM-SHA-256 (RFC 7677), simple queries.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const int32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const message = (type, ...parts) => {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
};
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();
const sha256 = (data) => createHash('sha256').update(data).digest();

/** The two messages of the client in a SCRAM exchange. */
function scram(password) {
  const nonce = randomBytes(18).toString('base64');
  const bare = `n=,r=${nonce}`;
  return {
    first: `n,,${bare}`,
    final(challenge) {
      const { r, s, i } = Object.fromEntries(challenge.split(',').map((pair) => [pair[0], pair.slice(2)]));
      if (!r?.startsWith(nonce)) throw new Error('the database answered with a foreign nonce');
      const salted = pbkdf2Sync(password, Buffer.from(s, 'base64'), Number(i), 32, 'sha256');
      const clientKey = hmac(salted, 'Client Key');
      const withoutProof = `c=biws,r=${r}`;
      const signature = hmac(sha256(clientKey), `${bare},${challenge},${withoutProof}`);
      const proof = clientKey.map((byte, index) => byte ^ signature[index]);
      return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
    },
  };
}

/** The fields of an ErrorResponse that a person wants to read. */
function problem(body) {
  const fields = Object.fromEntries(
    body
      .toString()
      .split('\0')
      .filter(Boolean)
      .map((field) => [field[0], field.slice(1)]),
  );
  return new Error(`database: ${fields.M} (${fields.C})`);
}

function row(body) {
  const values = [];
  let at = 2;
  for (let column = 0; column < body.readInt16BE(0); column++) {
    const size = body.readInt32BE(at);
    at += 4;
    values.push(size < 0 ? null : body.toString('utf8', at, at + size));
    at += Math.max(size, 0);
  }
  return values;
}

async function open({ host, port = 5432, user, password, database }) {
  const socket = connect(port, host);
  const exchange = scram(password);
  const waiting = [];
  let pending = Buffer.alloc(0);
  let rows = [];
  let failure;
  const receive = (type, body) => {
    if (type === 'R') {
      const step = body.readInt32BE(0);
      if (step === 10) {
        socket.write(message('p', 'SCRAM-SHA-256\0', int32(exchange.first.length), exchange.first));
      } else if (step === 11) socket.write(message('p', exchange.final(body.toString('utf8', 4))));
      else if (step !== 0 && step !== 12) throw new Error(`the database asks for authentication ${step}`);
    } else if (type === 'D') rows.push(row(body));
    else if (type === 'E') {
      failure = problem(body);
      // Before the connection is ready for queries an error ends it.
      if (!session.isReady) socket.destroy(failure);
    } else if (type === 'Z') {
      session.isReady = true;
      const { resolve, reject } = waiting.shift();
      if (failure) reject(failure);
      else resolve(rows);
      rows = [];
      failure = undefined;
    }
  };
  const session = {
    isReady: false,
    isOpen: true,
    query(text) {
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        if (text !== undefined) socket.write(message('Q', `${text}\0`));
      });
    },
  };
  const end = (error) => {
    session.isOpen = false;
    for (const { reject } of waiting.splice(0)) reject(error ?? new Error('the database closed the connection'));
  };
  socket.on('error', end).on('close', () => end());
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 5 && pending.length > pending.readInt32BE(1)) {
      const size = pending.readInt32BE(1);
      const body = pending.subarray(5, 1 + size);
      const type = String.fromCharCode(pending[0]);
      pending = pending.subarray(1 + size);
      try {
        receive(type, body);
      } catch (error) {
        socket.destroy(error);
      }
    }
  });
  socket.on('connect', () => {
    const start = Buffer.concat([int32(196_608), Buffer.from(`user\0${user}\0database\0${database}\0\0`)]);
    socket.write(Buffer.concat([int32(start.length + 4), start]));
  });
  await session.query();
  return session;
}

/** Connects, and connects again on the first query after the database was restarted. */
export async function connectPostgres(options) {
  let session = await open(options);
  return {
    async query(text) {
      if (!session.isOpen) session = await open(options);
      return session.query(text);
    },
  };
}
