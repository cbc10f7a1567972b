import { execFile, spawn } from 'node:child_process'
import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { linesOf, readContent } from '@clicktally/archive/archive-content.ts'
import { FolderStore } from '@clicktally/archive/folder-store.ts'
import { listArchives } from '@clicktally/archive/manifest.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { preloading } from '../changed-service.ts'
import type { FaultSystem } from '../fault-system.ts'
import { PastClicks } from '../past-clicks.ts'
import type { Scenario } from '../stage.ts'

const months = 4
/** More than a run has. */
const maxSteps = 2_000
/** With fewer, the preload does not do its work. */
const minKills = 5
const cli = join(import.meta.dirname, '../../../cli/main.ts')
const execute = promisify(execFile)

/**
 * The janitor archives and removes old clicks while new ones arrive, and is killed at each of its steps: run after run one step later,
 * until a run gets to its end. At any time each old click is among the raw clicks or in an archive that is complete.
 */
export const scenario: Scenario = {
  number: 15,
  title: 'the janitor killed at each step',
  async run(stage) {
    const { system, short } = stage
    const archive = await makeScratchFolder('archive')
    // The janitor may run as another user.
    await chmod(archive, 0o777)
    const past = await PastClicks.send(system, months)
    try {
      await stage.row('janitor killed at each step', async ({ broken, restored, recovered }) => {
        await past.keepRaw(false)
        const stepsAtOnce = short ? 7 : 1
        let kills = 0
        for (let step = 1; ; step += stepsAtOnce) {
          if (step > maxSteps) throw new Error(`the janitor was killed ${kills} times and is not done`)
          broken()
          const end = await runJanitor(system, archive, step)
          restored()
          await checkNothingIsMissing(past, archive)
          if (end === 0) break
          if (end !== 'SIGKILL') throw new Error(`the janitor ended with ${end}`)
          kills += 1
        }
        await recovered()
        if (kills < minKills) throw new Error(`the janitor was killed only ${kills} times`)
        const left = await past.stored()
        if (left.size > 0) throw new Error(`${left.size} archived clicks are still among the raw clicks`)
      })
      const { stdout } = await execute(process.execPath, [cli, 'archive', 'import', '--yes', '--keep-days', '7'], {
        env: { CLICKTALLY_DATABASE_URL: system.system.postgresUrl, ARCHIVE_URL: `file://${archive}`, HOME: archive },
      })
      await checkNothingIsMissing(past, archive)
      const back = await past.stored()
      if (back.size !== past.ids.length) throw new Error(`${back.size} of ${past.ids.length} are back: ${stdout}`)
    } finally {
      await past.keepRaw(true)
      await rm(archive, { recursive: true, force: true })
    }
  },
}

/** One run of the janitor, in a process of its own. @returns how it ended */
function runJanitor(
  system: FaultSystem,
  archive: string,
  crashAtStep: number,
): Promise<NodeJS.Signals | number | null> {
  const { command, args = [], cwd, env } = system.program('janitor').program
  const child = spawn(command, args, {
    cwd,
    env: {
      ...env,
      ...preloading('crash-at-step', { CRASH_AT_STEP: String(crashAtStep) }),
      ...{ JANITOR_EVERY: 'once', ARCHIVE_URL: `file://${archive}`, LOG_LEVEL: 'silent' },
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code))
  })
}

/** @throws if a click is neither among the raw clicks nor archived, or a count has changed */
async function checkNothingIsMissing(past: PastClicks, archive: string): Promise<void> {
  const found = await past.stored()
  const store = new FolderStore(archive)
  for await (const manifest of listArchives(store)) {
    for await (const page of readContent(store, manifest))
      for (const line of linesOf(page)) found.add(JSON.parse(line).id)
  }
  const missing = past.ids.filter((id) => !found.has(id))
  if (missing.length > 0) throw new Error(`${missing.length} old clicks are lost, such as ${missing[0]}`)
  const counted = await past.counted()
  if (counted !== past.ids.length) throw new Error(`the counters say ${counted} instead of ${past.ids.length}`)
}
