// What the capacity promises and the limits of this process would not keep. Control plane.

import { descriptorLimit } from '../kernel/limits.ts';
import type { MemoryPlan } from './memory-plan.ts';
import { formatSize } from './memory-plan.ts';

/** What a process may have. */
export interface ProcessLimits {
  readonly descriptors: number;
  /** Bytes. */
  readonly memory: number;
}

/** Of this process. */
export function processLimits(): ProcessLimits {
  // Of its control group, or one around it; 0 when there is none.
  const memory = process.constrainedMemory();
  return {
    descriptors: descriptorLimit(),
    memory: memory === 0 ? Number.POSITIVE_INFINITY : memory,
  };
}

/** What the person who starts the server should know, a line each. */
export function limitWarnings(
  plan: Pick<MemoryPlan, 'descriptors' | 'totalSize'>,
  { descriptors, memory }: ProcessLimits,
): string[] {
  const lines: string[] = [];
  if (plan.descriptors > descriptors) {
    lines.push(
      `the descriptor limit is ${descriptors}, but the capacity asks for ${plan.descriptors}: ` +
        'beyond the limit new connections wait; raise it (ulimit -n) or lower --accept-capacity',
    );
  }
  if (plan.totalSize > memory) {
    lines.push(
      `the memory limit of the control group is ${formatSize(memory)}, but ` +
        `${formatSize(plan.totalSize)} are planned: at full capacity the kernel may end this ` +
        'server; raise it or lower --accept-capacity',
    );
  }
  return lines;
}
