import { readdirSync, readFileSync } from 'node:fs'

/** Fields of /proc/<pid>/stat. */
export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** CPU time in clock ticks, including children that have ended and were waited for. */
  readonly ticks: number
}

/**
 * Returns these processes and all their running descendants, such as PostgreSQL's backends. Empty on a system without
 * /proc.
 */
export function processTrees(pids: readonly number[]): ProcessStat[] {
  const children = new Map<number, ProcessStat[]>()
  const found: ProcessStat[] = []
  for (const pid of allPids()) {
    const stat = readStat(pid)
    if (stat === undefined) continue
    if (pids.includes(pid)) found.push(stat)
    const siblings = children.get(stat.parent)
    if (siblings === undefined) children.set(stat.parent, [stat])
    else siblings.push(stat)
  }
  const known = new Set(pids)
  // The loop also visits the processes that it appends.
  for (const { pid } of found) {
    for (const child of children.get(pid) ?? []) {
      if (known.has(child.pid)) continue
      known.add(child.pid)
      found.push(child)
    }
  }
  return found
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
  // The command, in parentheses, may itself contain blanks and parentheses: fields are counted from its end.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const [, parent] = fields
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { pid, parent: Number(parent), ticks }
}
