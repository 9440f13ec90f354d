import { createServer } from 'node:http';
createServer((request, response) => response.end(`pid ${process.pid}`)).listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
