import type { WriteStream } from 'node:tty'
import { SingleBar } from 'cli-progress'
import { printable } from './printable.ts'

/** Where lines go, and the terminal that may show a moving bar. */
export interface Output {
  line: (text: string) => void
  terminal?: WriteStream | undefined
}

export interface ProgressOptions {
  /** One word, as in `Sending`. */
  label: string
  /** What is counted, as in `clicks`. */
  unit: string
  /** How much there is, as far as that is known at the beginning. */
  total: number
  /** Leave out where the speed says nothing, as while waiting. */
  withSpeed?: boolean
  /** How an amount is written, where it is not a count. */
  format?: (amount: number) => string
  /** More to say behind it, asked for each time that it is shown. */
  note?: () => string
}

/** Told how much is done, and of how much if that has changed. */
export type Update = (done: number, total?: number) => void

interface Progress {
  update: Update
  stop: () => void
}

/** Between two lines where no bar can move, and where the second would say what the first did. */
const lineEveryMs = 2_000
const sameLineEveryMs = 10_000
const labelWidth = 10

/**
 * Shows how far some work is: as a bar on a terminal, else as a line every few
 * seconds. The bar is gone when this returns or
 * throws.
 *
 * @param work gets a function that it calls with how much is done
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

/** A line that begins like those of the progress. */
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
    // The cursor comes back in stop(), which runs on Ctrl-C too: signals are main's.
    gracefulExit: false,
    // A line that was printed meanwhile has taken its place.
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

/** `9,090`, for so many in so many milliseconds */
export function perSecond(count: number, elapsedMs: number): string {
  return formatCount(Math.round((count / Math.max(1, elapsedMs)) * 1000))
}

/** `0.8 s` or `2 min 5 s` */
export function formatDuration(durationMs: number): string {
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`
  const seconds = Math.round(durationMs / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
