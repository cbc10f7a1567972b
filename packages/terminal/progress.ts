import type { WriteStream } from 'node:tty'
import { SingleBar } from 'cli-progress'
import { printable } from './printable.ts'

/** Destination of lines, and the terminal for a progress bar, if there is one. */
export interface Output {
  line: (text: string) => void
  terminal?: WriteStream | undefined
}

export interface ProgressOptions {
  /** One word, such as `Sending`. */
  label: string
  /** Unit of the amounts, such as `clicks`. */
  unit: string
  /** Expected total; may change later. */
  total: number
  /** Shows the rate. Leave out where it means nothing, for example while waiting. */
  withSpeed?: boolean
  /** Formats an amount that is not a count. */
  format?: (amount: number) => string
  /** Text to append, evaluated at each update. */
  note?: () => string
}

/** Reports the completed amount, and the total if it has changed. */
export type Update = (done: number, total?: number) => void

interface Progress {
  update: Update
  stop: () => void
}

/** Intervals between lines without a terminal: with progress, and without. */
const lineEveryMs = 2_000
const sameLineEveryMs = 10_000
const labelWidth = 10

/**
 * Shows the progress of some work: as a bar on a terminal, otherwise as a line every few seconds. Removes the bar when the
 * work ends or fails.
 *
 * @param work receives a function to report its progress
 */
export async function withProgress<Result>(
  output: Output,
  options: ProgressOptions,
  work: (update: Update) => Promise<Result>,
): Promise<Result> {
  const progress = output.terminal ? startBar(output.terminal, options) : startLines(output, options)
  try {
    return await work(progress.update)
  } finally {
    progress.stop()
  }
}

/** Formats a line that is aligned with progress lines. */
export function labelled(label: string, text: string): string {
  return label.padEnd(labelWidth) + text
}

function startBar(terminal: WriteStream, options: ProgressOptions): Progress {
  const { label, unit, withSpeed, format = formatCount } = options
  const note = () => printable(options.note?.() ?? '')
  let { total } = options
  const startedAtMs = performance.now()
  const speed = (done: number) => (withSpeed ? `, ${perSecond(done, performance.now() - startedAtMs)} ${unit}/s` : '')
  const bar = new SingleBar({
    format: labelled(printable(label), `{bar} {percentage} %  {done} of {all} ${unit}{speed}{note}`),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 25,
    fps: 10,
    stream: terminal,
    clearOnComplete: true,
    hideCursor: true,
    // stop() restores the cursor, on Ctrl-C too. Signals are handled by the main program.
    gracefulExit: false,
    // Another line may have been printed over the bar.
    forceRedraw: true,
  })
  bar.start(total, 0, { done: format(0), all: format(total), speed: '', note: note() })
  return {
    update(done, newTotal = total) {
      total = newTotal
      bar.setTotal(total)
      const texts = { done: format(done), all: format(total), speed: speed(done), note: note() }
      bar.update(Math.min(done, total), texts)
    },
    stop: () => bar.stop(),
  }
}

function startLines(output: Output, options: ProgressOptions): Progress {
  const { label, unit, withSpeed, format = formatCount } = options
  const note = () => printable(options.note?.() ?? '')
  let { total } = options
  const startedAtMs = performance.now()
  let lineAtMs = startedAtMs
  let shown = 0
  return {
    update(done, newTotal = total) {
      total = newTotal
      const nowMs = performance.now()
      if (nowMs - lineAtMs < (done === shown ? sameLineEveryMs : lineEveryMs)) return
      lineAtMs = nowMs
      shown = done
      const speed = withSpeed ? `, ${perSecond(done, nowMs - startedAtMs)} ${unit}/s` : ''
      const percentage = Math.floor((done / Math.max(1, total)) * 100)
      const amount = `${format(done)} of ${format(total)} ${unit}`
      output.line(labelled(label, `${percentage} %  ${amount}${speed}${note()}`))
    },
    stop() {},
  }
}

/** `12,345` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** Formats a rate: `9,090` */
export function perSecond(count: number, elapsedMs: number): string {
  return formatCount(Math.round((count / Math.max(1, elapsedMs)) * 1000))
}

/** `0.8 s` or `2 min 5 s` */
export function formatDuration(durationMs: number): string {
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`
  const seconds = Math.round(durationMs / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
