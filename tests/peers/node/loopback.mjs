//! Preloaded into servers that choose their own address: they get 127.0.0.1 and a free port instead, and say which on
//! stderr, as `listening on http://127.0.0.1:PORT`.

import net from 'node:net';

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (...given) {
  const whenListening = given.find((argument) => typeof argument === 'function');
  this.once('listening', () => {
    process.stderr.write(`listening on http://127.0.0.1:${this.address().port}\n`);
  });
  return listen.call(this, { host: '127.0.0.1', port: 0 }, whenListening);
};
