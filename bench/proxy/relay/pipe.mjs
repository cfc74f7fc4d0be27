// The least that a relay in Node can be: two sockets piped into one another, with no list, limit, deadline or account.
import { connect, createServer } from 'node:net';

const [path, port] = process.argv.slice(2);
createServer({ allowHalfOpen: true }, (from) => {
  const to = connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true, noDelay: true });
  from.on('error', () => to.destroy()).pipe(to);
  to.on('error', () => from.destroy()).pipe(from);
}).listen({ path, backlog: 1024 });
