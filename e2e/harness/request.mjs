// One HTTP request from inside a network namespace. Usage: node request.mjs URL [JSON of {method, headers, body, timeoutMs}]
// Prints {status, headers, body} or {error}.
import http from 'node:http';

const [url, json = '{}'] = process.argv.slice(2);
const { method = 'GET', headers = {}, body, timeoutMs = 5000 } = JSON.parse(json);
const print = (answer) => {
  console.log(JSON.stringify(answer));
  process.exit(0);
};
const request = http.request(url, { method, headers, agent: false, timeout: timeoutMs }, (response) => {
  let text = '';
  response.setEncoding('utf8');
  response.on('data', (chunk) => {
    text += chunk;
  });
  response.on('end', () => print({ status: response.statusCode, headers: response.headers, body: text }));
  response.on('error', (error) => print({ error: error.code ?? error.message }));
});
request.on('timeout', () => request.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })));
request.on('error', (error) => print({ error: error.code ?? error.message }));
request.end(body);
