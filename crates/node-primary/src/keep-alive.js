'use strict';
// Loaded before the program (--require), in a process that has a cluster primary which is not Node. Once the process is told to disconnect,
// clients that keep connections open are asked to leave (`Connection: close`) before idle connections are cut. Node since 19 cuts them at
// once, and loses what a client sends at that very moment.
(function () {
  const own = __filename;
  // The variable has done its work: children are other programs.
  const words = (process.env.NODE_OPTIONS || '').split(/("(?:[^"\\]|\\.)*"|\S+)/).filter((word) => word.trim() !== '');
  const at = words.findIndex((word) => word.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1') === own);
  if (at > 0 && words[at - 1] === '--require') {
    words.splice(at - 1, 2);
    if (words.length > 0) process.env.NODE_OPTIONS = words.join(' ');
    else delete process.env.NODE_OPTIONS;
  }

  const cluster = require('cluster');
  if (!cluster.worker) return;
  // As long as Node keeps an idle connection open by default, in milliseconds.
  const patience = 5000;
  for (const Server of [require('http').Server, require('https').Server]) {
    const close = Server.prototype.close;
    Server.prototype.close = function () {
      if (cluster.worker.exitedAfterDisconnect) askClientsToLeave(this);
      return close.apply(this, arguments);
    };
  }

  function askClientsToLeave(server) {
    server.prependListener('request', (request, response) => response.setHeader('Connection', 'close'));
    const cut = server.closeIdleConnections;
    if (cut) server.closeIdleConnections = () => { setTimeout(() => cut.call(server), patience).unref(); };
  }
})();
