import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '@clicktally/local/run-command.ts'
import type { SupervisedProgram } from '@clicktally/local/supervised-program.ts'
import { checkAsOf } from '../as-of.ts'
import { preloading } from '../changed-service.ts'
import type { Scenario, Stage } from '../stage.ts'

/** Processors on machines that are not as they should be. */
export const scenario: Scenario = {
  number: 10,
  title: 'a processor without a disk, with a wrong clock, paused',
  async run(stage) {
    await readOnlyDisk(stage)
    const hourMs = 3_600_000
    const shifts = stage.short ? [[hourMs, -hourMs]] : [[hourMs], [-hourMs]]
    for (const shiftsMs of shifts) await wrongClock(stage, shiftsMs)
    await paused(stage)
  },
}

/**
 * Runs the command line that follows with every disk read-only, and only if that is so. In a mount namespace of its own:
 * others go on as before.
 */
const withReadOnlyDisk = `
  while read -r _ point type _; do
    case "$type" in
      proc | sysfs | devpts | cgroup* | nsfs | mqueue | securityfs | debugfs | tracefs | bpf | autofs) ;;
      *) mount -o remount,bind,ro "$point" 2>/dev/null ;;
    esac
  done < /proc/mounts
  for folder in . /tmp /var/tmp "\${HOME:-/}"; do
    if touch "$folder/clicktally-probe" 2>/dev/null; then
      rm -f "$folder/clicktally-probe"
      echo "$folder can still be written to" >&2
      exit 1
    fi
  done
  exec "$@"`

async function readOnlyDisk(stage: Stage): Promise<void> {
  const { system } = stage
  const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']
  const through = ['unshare', ...namespaces, 'sh', '-c', withReadOnlyDisk, 'sh']
  const [command = '', ...args] = through
  const { code, output } = await runCommand(command, [...args, 'true'], { withinMs: 10_000 })
  if (code !== 0) {
    stage.note(
      `A processor with a read-only disk is not possible on this machine (${output.trim() || `exit code ${code}`}).`,
    )
    return
  }
  const usual = system.processors.map((name) => system.program(name))
  await stage.row('processor with a read-only disk', async ({ broken, restored, recovered }) => {
    const readOnly = await system.addProcessor({ through })
    broken()
    try {
      await without(usual, () => sleep(stage.short ? 1_000 : 15_000))
    } finally {
      await readOnly.remove()
      restored()
    }
    await recovered()
  })
}

/** Does something while these are stopped: who else there is counts alone. */
async function without(programs: readonly SupervisedProgram[], act: () => Promise<unknown>): Promise<void> {
  await Promise.all(programs.map((program) => program.stop()))
  try {
    await act()
  } finally {
    await Promise.all(programs.map((program) => program.start()))
  }
}

async function wrongClock(stage: Stage, shiftsMs: readonly number[]): Promise<void> {
  const { system } = stage
  const [shiftMs = 0] = shiftsMs
  const name =
    shiftsMs.length > 1 ? 'clocks an hour ahead, behind' : `clock an hour ${shiftMs > 0 ? 'ahead' : 'behind'}`
  const usual = system.processors.map((each) => system.program(each))
  await stage.row(name, async ({ broken, restored, recovered, load }) => {
    const wrong = await Promise.all(
      shiftsMs.map((ms) =>
        system.addProcessor({ variables: preloading('clock-shift', { CLOCK_SHIFT_MS: String(ms) }) }),
      ),
    )
    broken()
    try {
      await checkAsOf(system, load)
      if (!stage.short) await without(usual, () => checkAsOf(system, load))
    } finally {
      await Promise.all(wrong.map((each) => each.remove()))
      restored()
    }
    await recovered()
    await checkAsOf(system, load)
  })
}

/** After this time the others take it for gone, by what it last said of its progress. */
const pauseNoticedMs = 6_000
const longPauseMs = 114_000

async function paused(stage: Stage): Promise<void> {
  const { system } = stage
  const [name = ''] = system.processors
  await stage.row('processor paused (SIGSTOP) and back', async ({ broken, restored, recovered, load }) => {
    const program = system.program(name)
    broken()
    program.signal('SIGSTOP')
    try {
      await sleep(pauseNoticedMs)
      if (!stage.short) {
        // The broker has not noticed yet, and what the processor holds nobody has counted.
        await checkAsOf(system, load, 60_000)
        await sleep(longPauseMs)
      }
    } finally {
      program.signal('SIGCONT')
      restored()
    }
    await recovered()
    await checkAsOf(system, load)
  })
}
