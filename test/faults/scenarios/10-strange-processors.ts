import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import type { SupervisedProgram } from '@clicktally/local/processes/supervised-program.ts'
import { checkAsOf } from '../as-of.ts'
import { preloading } from '../changed-service.ts'
import type { Scenario, Stage } from '../stage.ts'

/** Processors on faulty machines. */
export const scenario: Scenario = {
  number: 10,
  title: 'a processor with a read-only disk, with a wrong clock, paused',
  async run(stage) {
    await readOnlyDisk(stage)
    const hourMs = 3_600_000
    const shifts = stage.short ? [[hourMs, -hourMs]] : [[hourMs], [-hourMs]]
    for (const shiftsMs of shifts) await wrongClock(stage, shiftsMs)
    await paused(stage)
  },
}

/**
 * Runs the command that follows with every disk read-only, and fails if one is still writable. It uses its own mount namespace:
 * other processes are not affected.
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
  const { code, output } = await runCommand(command, [...args, 'true'], { withinMs: 120_000 })
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

/** Calls `act` while these programs are stopped. */
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
    shiftsMs.length > 1
      ? 'processor clocks 1 hour ahead and behind'
      : `processor clock 1 hour ${shiftMs > 0 ? 'ahead' : 'behind'}`
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

/** After this time without a progress report, the others treat a processor as gone. */
const pauseNoticedMs = 6_000
const longPauseMs = 114_000

async function paused(stage: Stage): Promise<void> {
  const { system } = stage
  const [name = ''] = system.processors
  await stage.row('processor paused (SIGSTOP), resumed', async ({ broken, restored, recovered, load }) => {
    const program = system.program(name)
    broken()
    program.signal('SIGSTOP')
    try {
      await sleep(pauseNoticedMs)
      if (!stage.short) {
        // The broker has not noticed yet, and the messages that the processor holds are not counted.
        await checkAsOf(system, load)
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
