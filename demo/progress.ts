import type { WriteStream } from 'node:tty'
import { SingleBar } from 'cli-progress'

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
  /** How much there is. */
  total: number
  /** Leave out where the speed says nothing, as while waiting. */
  withSpeed?: boolean
}

interface Progress {
  update: (done: number) => void
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
  work: (update: (done: number) => void) => Promise<Result>,
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

function startBar(terminal: WriteStream, { label, unit, total, withSpeed }: ProgressOptions): Progress {
  const startedAtMs = performance.now()
  const speed = (done: number) => (withSpeed ? `, ${perSecond(done, performance.now() - startedAtMs)} ${unit}/s` : '')
  const bar = new SingleBar({
    format: labelled(label, `{bar} {percentage} %  {done} of ${formatCount(total)} ${unit}{speed}`),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 25,
    fps: 10,
    stream: terminal,
    clearOnComplete: true,
    hideCursor: true,
    // The cursor comes back in stop(), which runs on Ctrl-C too: signals are main's.
    gracefulExit: false,
  })
  bar.start(total, 0, { done: '0', speed: '' })
  return {
    update: (done) => bar.update(Math.min(done, total), { done: formatCount(done), speed: speed(done) }),
    stop: () => bar.stop(),
  }
}

function startLines(output: Output, { label, unit, total, withSpeed }: ProgressOptions): Progress {
  const startedAtMs = performance.now()
  let lineAtMs = startedAtMs
  let shown = 0
  return {
    update(done) {
      const nowMs = performance.now()
      if (nowMs - lineAtMs < (done === shown ? sameLineEveryMs : lineEveryMs)) return
      lineAtMs = nowMs
      shown = done
      const speed = withSpeed ? `, ${perSecond(done, nowMs - startedAtMs)} ${unit}/s` : ''
      const percentage = Math.floor((done / total) * 100)
      output.line(labelled(label, `${percentage} %  ${formatCount(done)} of ${formatCount(total)} ${unit}${speed}`))
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
