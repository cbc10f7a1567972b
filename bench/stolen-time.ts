import { readFileSync } from 'node:fs'

interface CpuTimes {
  readonly all: number
  readonly stolen: number
}

/**
 * Begins to watch how much of the cores' time the hypervisor gives to others (proc_stat(5), "steal"). The function that it
 * returns tells the share since then, 0 to 1; undefined where the system does not say.
 */
export function watchStolenTime(): () => number | undefined {
  const before = readCpuTimes()
  return () => {
    const after = readCpuTimes()
    if (before === undefined || after === undefined || after.all === before.all) return undefined
    return (after.stolen - before.stolen) / (after.all - before.all)
  }
}

/** All cores together, in ticks since the start. */
function readCpuTimes(): CpuTimes | undefined {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/) ?? []
    // user nice system idle iowait irq softirq steal; what follows is in user and nice already.
    const times = ticks.slice(0, 8).map(Number)
    return times.length < 8 ? undefined : { all: times.reduce((sum, one) => sum + one, 0), stolen: times[7] ?? 0 }
  } catch {
    return undefined
  }
}
