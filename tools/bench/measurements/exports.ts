import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuSeconds } from '@clicktally/processes/cpu-time.ts'
import { MemorySeries } from '@clicktally/processes/memory-series.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { type LongHistory, longHistoryOf } from '../storing/long-history.ts'
import { startService } from '../system/programs.ts'

const formats = ['csv', 'ndjson', 'parquet'] as const
type Format = (typeof formats)[number]

interface Export {
  readonly rows: number
  readonly bytes: number
  readonly seconds: number
  /** Of the api, seconds. */
  readonly cpu: number
  /** Maximum resident memory of the api in the first tenth of the time, and in all of it. */
  readonly earlyMb: number
  readonly maxMb: number
}

/** Every raw click as a file, and what memory the api needs for it. */
export const exports: Measurement = {
  name: 'exports',
  title: 'exports of all clicks',
  run: async (stage) => {
    const history = await longHistoryOf(stage)
    const all = new Map<Format, Export>()
    for (const [index, format] of formats.entries()) {
      stage.progress(`exporting as ${format}`, 0.9 + (0.1 * index) / formats.length)
      all.set(format, await measureExport(stage, history, format))
    }
    return sectionOf(history, all)
  },
}

/** Of an api of its own, so that its memory is that of this export. */
async function measureExport(stage: Stage, { large }: LongHistory, format: Format): Promise<Export> {
  const system = await stage.system()
  const { url, program } = await startService({
    ...{ service: 'api', name: `export-${format}`, system, databaseUrl: large.urlFor('api'), stage },
  })
  const path = join(stage.dir, `clicks.${format}`)
  const file = await open(path, 'w')
  const pids = program.pid === undefined ? [] : [program.pid]
  const memory = new MemorySeries(pids)
  try {
    const cpuBefore = cpuSeconds(pids)
    const startedAtMs = performance.now()
    const headers = { authorization: `Bearer ${system.ownerKey}` }
    const response = await fetch(`${url}/v1/export?format=${format}`, { headers, signal: stage.signal })
    if (response.status !== 200 || response.body === null) throw new Error(`the export is answered ${response.status}`)
    let [bytes, lines] = [0, 0]
    for await (const chunk of response.body) {
      bytes += chunk.length
      if (format === 'parquet') await file.write(chunk)
      else lines += linesIn(chunk)
    }
    const seconds = (performance.now() - startedAtMs) / 1_000
    const cpu = cpuSeconds(pids) - cpuBefore
    await memory.stop()
    const rows = format === 'parquet' ? await parquetRows(path) : lines - (format === 'csv' ? 1 : 0)
    return { rows, bytes, seconds, cpu, earlyMb: memory.maximum(0, seconds / 10), maxMb: memory.maximum() }
  } finally {
    await memory.stop()
    await file.close()
    await program.stop()
  }
}

/** No value of a synthetic click has a line break. */
function linesIn(chunk: Uint8Array): number {
  let lines = 0
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1
  return lines
}

async function parquetRows(path: string): Promise<number> {
  return Number((await parquetMetadataAsync(await asyncBufferFromFile(path))).num_rows)
}

function sectionOf({ largeClicks, voided }: LongHistory, all: ReadonlyMap<Format, Export>): Section {
  return {
    title: 'Exports',
    about: [
      `Each export is of all ${formatCount(largeClicks)} raw clicks of a database, sent directly by an api that does nothing else, in one response
without compression. Its resident memory is sampled twice a second; 1 MB is a million bytes. Early: in the first tenth of the time.`,
    ],
    tables: [
      {
        of: 'format',
        columns: [
          { name: 'rows', unit: '/s' },
          { name: 'per click', unit: 'bytes' },
          { name: 'CPU per click, api', unit: 'µs' },
          { name: 'maximum memory, early', unit: 'MB' },
          { name: 'maximum memory', unit: 'MB' },
        ],
        rows: Array.from(all, ([name, { rows, bytes, seconds, cpu, earlyMb, maxMb }]) => ({
          name,
          cells: [[rows / seconds], [bytes / rows], [(cpu * 1e6) / rows], [earlyMb], [maxMb]],
        })),
      },
    ],
    verdicts: [{ target: 'exportMemory', samples: Array.from(all.values(), ({ earlyMb, maxMb }) => maxMb / earlyMb) }],
    voided: [
      ...voided,
      ...Array.from(all).flatMap(([format, { rows }]) =>
        rows === largeClicks ? [] : [`the export as ${format} has ${rows} of ${largeClicks} clicks`],
      ),
    ],
  }
}
