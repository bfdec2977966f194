// The yardstick for files: nginx as one process, which sends them with sendfile(2).

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { BROWSER_PATH, LARGE_PATH, LARGE_SIZE, SMALL_PATH, SMALL_SIZE } from './targets.ts';

export type NginxLaunch = { readonly command: readonly string[]; readonly origin: string };

let folder: string | undefined;

/** Writes what nginx serves; `program` is its path. The files go when this process does. */
export async function launchNginx(program: string): Promise<NginxLaunch> {
  folder ??= makeFolder();
  const port = await freePort();
  const config = join(folder, `${port}.conf`);
  writeFileSync(config, configuration(folder, port));
  return {
    command: [program, '-p', folder, '-e', 'stderr', '-c', config],
    origin: `http://127.0.0.1:${port}`,
  };
}

function makeFolder(): string {
  const made = mkdtempSync(join(tmpdir(), 'millrace-bench-nginx-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  writeFileSync(join(made, basename(SMALL_PATH)), Buffer.alloc(SMALL_SIZE));
  writeFileSync(join(made, basename(LARGE_PATH)), Buffer.alloc(LARGE_SIZE));
  return made;
}

// nginx takes no port 0. It could be taken in between; then the server does not start, loudly.
async function freePort(): Promise<number> {
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer().once('error', reject).listen(0, '127.0.0.1', resolve);
  await listening;
  const { port } = server.address() as AddressInfo;
  await server[Symbol.asyncDispose]();
  return port;
}

// The limit of requests per connection is lifted: no other server here reaches one in a run.
function configuration(root: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
master_process off;
pid ${root}/nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  ${temporary.map((name) => `${name}_temp_path ${root}/${name};`).join(' ')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${root};
    location ${dirname(SMALL_PATH)}/ { alias ${root}/; }
    location = ${BROWSER_PATH} { return 200; }
  }
}
`;
}
