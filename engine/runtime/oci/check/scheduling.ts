/** When and where the process runs. Source: runtime-spec config.md "Linux Process", sched(7), sched_setattr(2), ioprio_set(2). */
import { listProblem } from './numbers.ts';
import type { Rule } from './rule.ts';

const realtime = ['SCHED_FIFO', 'SCHED_RR'];
const fair = ['SCHED_OTHER', 'SCHED_BATCH'];
/** sched_setattr(2): the shortest runtime the kernel takes, in nanoseconds. */
const shortestRuntime = 1024;

const scheduler: Rule = {
  reads: ['process.scheduler'],
  check({ process }, findings) {
    const given = process?.scheduler;
    if (!given) return;
    const at = (name: string) => `process.scheduler.${name}`;
    const { policy, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = given;
    if (policy === 'SCHED_ISO') findings.refuse(at('policy'), 'SCHED_ISO is reserved; Linux has not got it');
    if (nice < -20 || nice > 19) findings.refuse(at('nice'), `must be from -20 to 19: ${nice}`);
    else if (nice !== 0 && !fair.includes(policy)) findings.refuse(at('nice'), `means nothing to ${policy}`);
    if (realtime.includes(policy)) {
      if (priority < 1 || priority > 99)
        findings.refuse(at('priority'), `must be from 1 to 99 for ${policy}: ${priority}`);
    } else if (priority !== 0) findings.refuse(at('priority'), `means nothing to ${policy}`);
    if (policy !== 'SCHED_DEADLINE') {
      for (const [name, value] of Object.entries({ runtime, deadline, period })) {
        if (value > 0) findings.refuse(at(name), `means nothing to ${policy}, only to SCHED_DEADLINE`);
      }
    } else if (runtime < shortestRuntime || runtime > deadline || (period > 0 && deadline > period)) {
      findings.refuse(
        at('runtime'),
        `SCHED_DEADLINE needs ${shortestRuntime} <= runtime <= deadline <= period: ${runtime}, ${deadline}, ${period}`,
      );
    }
  },
};

const priorities: Rule = {
  reads: ['process.ioPriority', 'process.oomScoreAdj'],
  check({ process }, findings) {
    const level = process?.ioPriority?.priority ?? 0;
    if (level < 0 || level > 7) findings.refuse('process.ioPriority.priority', `must be from 0 to 7: ${level}`);
    const score = process?.oomScoreAdj ?? 0;
    if (score < -1000 || score > 1000) findings.refuse('process.oomScoreAdj', `must be from -1000 to 1000: ${score}`);
  },
};

const affinity: Rule = {
  reads: ['process.execCPUAffinity'],
  check({ process }, findings) {
    for (const name of ['initial', 'final'] as const) {
      const problem = listProblem(process?.execCPUAffinity?.[name] ?? '');
      if (problem) findings.refuse(`process.execCPUAffinity.${name}`, problem);
    }
  },
};

export const schedulingRules: Rule[] = [scheduler, priorities, affinity];
