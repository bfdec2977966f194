// Which backend serves: the one asked for, or the best that works here, and what is said about it.

import { deepEqual, equal, match } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { chooseBackend } from '../../src/io/open-io.ts';
import { EINVAL, ENOSYS, EPERM } from '../../src/kernel/errno.ts';
import { FAST, HttpPeer, SLOW } from '../support/http-peer.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { PROGRAM, Program, runProgram, startServer } from '../support/server-process.ts';

const SMALL = ['-A', '1', '-w', '1', '-C', '100', '-D', '0'];
const IO_URING_SETUP = 425;
const IO_URING_REGISTER = 427;

/** Options to run the program as where the kernel answers a call with an error. */
function refusing(syscall: number, errno: number): { env: Record<string, string> } {
  const launcher = new URL('../support/refuse-syscall.ts', import.meta.url).href;
  return {
    env: {
      NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import=${launcher}`,
      REFUSE_SYSCALL: `${syscall}:${errno}`,
    },
  };
}

async function serves(t: TestContext, server: ServerProcess): Promise<void> {
  const peer = await HttpPeer.open(t, server.port);
  deepEqual([(await peer.ask(FAST)).status, (await peer.ask(SLOW)).status], [200, 200]);
  peer.close();
  equal(await server.stop(), 0);
}

function backendOf(server: ServerProcess): string {
  return server.readyLine.split(' | ')[1]!;
}

test('--backend epoll serves on epoll', async (t) => {
  const server = await startServer(t, [...SMALL, '--backend', 'epoll']);
  equal(backendOf(server), 'epoll: asked for');
  await serves(t, server);
});

test('--backend io_uring serves on io_uring', {
  skip: chooseBackend('auto').backend !== 'io_uring' && 'io_uring does not work here',
}, async (t) => {
  const server = await startServer(t, [...SMALL, '--backend', 'io_uring']);
  equal(backendOf(server), 'io_uring: this kernel allows it');
  await serves(t, server);
});

const REFUSALS: [name: string, syscall: number, errno: number, says: RegExp][] = [
  [
    'io_uring_setup by EPERM',
    IO_URING_SETUP,
    EPERM,
    /^io_uring_setup refused, EPERM: seccomp or kernel\.io_uring_disabled$/,
  ],
  ['io_uring_setup by ENOSYS', IO_URING_SETUP, ENOSYS, /^io_uring_setup refused, ENOSYS: /],
  [
    'io_uring_setup by EINVAL, as an old kernel does',
    IO_URING_SETUP,
    EINVAL,
    /^io_uring_setup refused, EINVAL: it lacks IORING_SETUP_CQSIZE; Linux 6\.6 is needed$/,
  ],
  [
    'io_uring_register by EPERM',
    IO_URING_REGISTER,
    EPERM,
    /^io_uring_register\(PBUF_RING\) refused, EPERM: /,
  ],
];

for (const [name, syscall, errno, says] of REFUSALS) {
  test(`auto where the kernel refuses ${name}: epoll, and the ready line says why`, async (t) => {
    const server = await startServer(t, [...SMALL, '--backend', 'auto'], refusing(syscall, errno));
    match(backendOf(server), /^epoll: /);
    match(backendOf(server).replace('epoll: ', ''), says);
    equal(server.program.stderr, '');
    await serves(t, server);
  });
}

test('--backend io_uring where it is refused: one line, exit code 78', async (t) => {
  const { code, stdout, stderr } = await runProgram(
    t,
    [...SMALL, '-p', '0', '--backend', 'io_uring'],
    refusing(IO_URING_SETUP, EPERM),
  );
  deepEqual([code, stdout], [78, '']);
  match(
    stderr,
    /^millrace: --backend io_uring: io_uring_setup refused, EPERM: [^\n]*--backend epoll\n$/,
  );
});

// A user with no privilege and the smallest limit that is usual for memory that is locked: since
// about Linux 6.14 too little for the rings, before it does not count.
const SMALL_LIMIT = ['prlimit', '--memlock=65536:65536'];
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const UNPRIVILEGED = process.getuid!() === 0 ? [...SMALL_LIMIT, ...NOBODY] : SMALL_LIMIT;

function unprivilegedFault(): string | false {
  const [command, ...args] = [...UNPRIVILEGED, process.execPath, '--check', PROGRAM];
  const { error, status } = spawnSync(command!, args);
  if (error !== undefined) return 'util-linux (prlimit, setpriv) is missing';
  return status !== 0 && 'another user cannot read this checkout';
}
const skip = unprivilegedFault();

for (const backend of ['auto', 'epoll']) {
  test(`--backend ${backend} serves whoever runs it, with little memory to lock`, {
    skip,
  }, async (t) => {
    const args = [...SMALL, '--backend', backend];
    const server = await startServer(t, args, { wrapper: UNPRIVILEGED });
    match(backendOf(server), /^epoll: (asked for|.*\(ulimit -l\))$|^io_uring: /);
    await serves(t, server);
  });
}

test('--backend io_uring with little memory to lock serves, or says why it does not', {
  skip,
}, async (t) => {
  const args = [...SMALL, '-p', '0', '--backend', 'io_uring'];
  const program = new Program(t, args, { wrapper: UNPRIVILEGED });
  const served = await program.output(({ stdout, stderr }) => {
    if (stdout.includes('ready')) return true;
    return stderr.includes('--backend epoll') ? false : undefined;
  });
  if (served) program.child.kill('SIGTERM');
  const { code, stderr } = await program.exited;
  if (served) equal(code, 0);
  else {
    equal(code, 78);
    match(stderr, /^millrace: --backend io_uring: [^\n]*ulimit -l[^\n]*--backend epoll\n$/);
  }
});
