import { readdirSync, readFileSync } from 'node:fs'

/** A line of /proc/<pid>/stat, as far as it is read here. */
export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** CPU time of its own, and of those of its children that have ended and were waited for: in clock ticks. */
  readonly ticks: number
}

/**
 * The processes, and all that they have started and that still run: of PostgreSQL its backends, of a shell its programs.
 * Empty where the system has no /proc.
 */
export function familyOf(pids: readonly number[]): ProcessStat[] {
  const children = new Map<number, ProcessStat[]>()
  const family: ProcessStat[] = []
  for (const pid of allPids()) {
    const stat = readStat(pid)
    if (stat === undefined) continue
    if (pids.includes(pid)) family.push(stat)
    const siblings = children.get(stat.parent)
    if (siblings === undefined) children.set(stat.parent, [stat])
    else siblings.push(stat)
  }
  const known = new Set(pids)
  // The list grows while it is walked: whoever is added is asked for children too.
  for (const { pid } of family) {
    for (const child of children.get(pid) ?? []) {
      if (known.has(child.pid)) continue
      known.add(child.pid)
      family.push(child)
    }
  }
  return family
}

function allPids(): number[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []))
  } catch {
    return []
  }
}

function readStat(pid: number): ProcessStat | undefined {
  let line: string
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The program's name, in brackets, may hold blanks and brackets itself: fields are counted from behind it.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [, parent] = fields
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { pid, parent: Number(parent), ticks }
}
