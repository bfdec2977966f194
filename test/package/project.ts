// A project of a user, in a folder of its own: the package is packed and installed as it would be
// from a registry, without one.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

const run = promisify(execFile);
/** Where the Node of the tests is found first. */
export const SEARCH_PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
const env = { ...process.env, PATH: SEARCH_PATH };

export class Project {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** An empty project with the package installed. */
  static async create(): Promise<Project> {
    const project = new Project(await mkdtemp(join(tmpdir(), 'millrace-project-')));
    const packed = await run('npm', ['pack', '--json', '--pack-destination', project.path], {
      cwd: ROOT,
      env,
    });
    const filename = /"filename": "(.+\.tgz)"/.exec(packed.stdout)![1]!;
    await project.write('package.json', '{ "name": "project", "private": true, "type": "module" }');
    await project.run('npm', 'install', '--offline', '--no-audit', '--no-fund', `./${filename}`);
    return project;
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.path, name), text);
  }

  /** Runs a command in the project to its end, with the Node of the tests; answers its output. */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    const { stdout } = await run(command, args, { cwd: this.path, env });
    return stdout;
  }

  /** A package of this repository, as if it were installed here. */
  async link(name: string): Promise<void> {
    await symlink(join(ROOT, 'node_modules', name), join(this.path, 'node_modules', name));
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true });
  }
}
