// Where every thread begins. How modules are found has to be settled before the first is imported.
// Control plane.

import { workerData } from 'node:worker_threads';
import { prepareModules } from './modules.ts';

prepareModules();
const { module } = workerData as { readonly module: string };
await import(module);
