import { readFile, writeFile } from 'node:fs/promises'
import type { Finding } from './findings.ts'
import type { Versions } from './versions.ts'

/** A run of the suite. */
export interface Run {
  /** ISO 8601; identifies the run. */
  readonly startedAt: string
  /** Abbreviated; with a `+` if files differed from it. */
  readonly commit: string
  readonly command: string
  readonly tookMs: number
  readonly versions: Versions
}

export interface RecordedFinding extends Finding {
  /** When its run was started. */
  readonly run: string
}

/** What a document shows: of each row the newest result, which may come from different runs. */
export interface FaultRecord {
  /** Those that a result comes from, oldest first. */
  readonly runs: readonly Run[]
  readonly findings: readonly RecordedFinding[]
}

export const emptyRecord: FaultRecord = { runs: [], findings: [] }

/** The record in a file; an empty one if there is no such file. */
export async function readRecord(path: string): Promise<FaultRecord> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as FaultRecord
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return emptyRecord
    throw error
  }
}

export async function writeRecord(path: string, record: FaultRecord): Promise<void> {
  await writeFile(path, `${JSON.stringify(record, undefined, 2)}\n`)
}

/** The record after a run: its rows replace those of the same name. */
export function withRun(before: FaultRecord, run: Run, found: readonly Finding[]): FaultRecord {
  const findings = new Map(before.findings.map((finding) => [keyOf(finding), finding]))
  for (const finding of found) findings.set(keyOf(finding), { ...finding, run: run.startedAt })
  const kept = [...findings.values()].filter(isSomething).sort((one, other) => one.number - other.number)
  const runs = [...before.runs.filter(({ startedAt }) => startedAt !== run.startedAt), run]
  return { runs: runs.filter(({ startedAt }) => kept.some((finding) => finding.run === startedAt)), findings: kept }
}

function keyOf({ number, name }: Finding): string {
  return `${number} ${name}`
}

function isSomething({ row, promises, balances, notes, failures }: Finding): boolean {
  return row !== undefined || [promises, balances, notes, failures].some(({ length }) => length > 0)
}
