import { resolve } from 'node:path'
import { readVisitorKey } from '@clicktally/access-log/visitor-key.ts'
import { type Answer, describeAnswer } from '@clicktally/requests/answer.ts'
import { sendBatches } from '@clicktally/requests/batch-sender.ts'
import { labelled, type Output } from '@clicktally/terminal/progress.ts'
import { startOfText } from '@clicktally/text-file/line.ts'
import { CheckpointFile, checkpointVersion } from './checkpoint.ts'
import { contact } from './contact.ts'
import type { FormatChoices } from './formats/format-choices.ts'
import type { ImportFormat } from './formats/import-format.ts'
import { type ImportBatch, importBatches } from './import-batches.ts'
import type { ImportInput } from './import-input.ts'
import { withImportProgress } from './import-progress.ts'
import { findStart, type ImportStart } from './import-start.ts'
import type { ImportTally } from './import-tally.ts'
import { accountOf } from './peers/accounts.ts'
import { RejectsFile } from './rejects-file.ts'

export interface ImportOptions {
  readonly inputs: readonly ImportInput[]
  /** Undefined: detected for each input. */
  readonly format: ImportFormat | undefined
  readonly choices: Omit<FormatChoices, 'visitorKey'>
  /** The server's URL for old clicks. */
  readonly endpoint: URL
  /** A key that may send old clicks. */
  readonly key: string
  readonly stateDir: string
  /** Whether to start over even if an import of the same files was interrupted. */
  readonly restart: boolean
  readonly rejectsPath: string | undefined
  readonly notices: Output
  readonly signal: AbortSignal
}

/** Enough to keep two ingests busy despite the round trips. */
const inFlight = 8
/** Long enough for a broken broker to be repaired or a new version to be installed. */
const patienceMs = 600_000
/** After a kill, an import sends what it sent in this time once more, which changes no count. */
const saveEveryMs = 100
const noticeEveryMs = 5_000

/**
 * Imports files: prepared → sending → finished, without a checkpoint, or interrupted by a signal or an error, with a checkpoint.
 * Everything before a checkpoint was answered, and the rejects file contains what was rejected of it.
 */
export class ImportRun {
  readonly #options: ImportOptions
  readonly #start: ImportStart
  /** Undefined if the import cannot be continued. */
  #checkpoint: CheckpointFile | undefined
  #rejects: RejectsFile | undefined
  #savedAtMs = Number.NEGATIVE_INFINITY
  #noticedAtMs = Number.NEGATIVE_INFINITY

  private constructor(options: ImportOptions, checkpoint: CheckpointFile | undefined, start: ImportStart) {
    this.#options = options
    this.#checkpoint = checkpoint
    this.#start = start
  }

  static async prepare(options: ImportOptions): Promise<ImportRun> {
    const { inputs, endpoint, key, choices, format, stateDir, restart, notices } = options
    const paths = inputs.flatMap(({ file }) => file?.path ?? [])
    // A pipe cannot be read again.
    const canContinue = paths.length === inputs.length
    const checkpoint = canContinue
      ? new CheckpointFile(stateDir, { endpoint: endpoint.href, accessKey: key, choices, format, paths })
      : undefined
    const before = restart ? undefined : await checkpoint?.read()
    return new ImportRun(options, checkpoint, await findStart(before, inputs, notices.line))
  }

  get tally(): ImportTally {
    return this.#start.tally
  }

  /** Whether the same command would continue where this one stopped. */
  get canContinue(): boolean {
    return this.#checkpoint !== undefined
  }

  /**
   * @throws {CliError} {RequestError} {TextFileError} with a message for people
   * @throws the signal's reason if the signal is aborted
   */
  async send(): Promise<void> {
    const { endpoint, key, signal, notices, inputs } = this.#options
    this.#rejects = await this.#openRejects()
    try {
      await contact(endpoint, key, signal)
      await withImportProgress(notices, inputs, this.tally, (onBatch) => this.#sendAll(onBatch))
      await this.#checkpoint?.remove()
    } finally {
      await this.#rejects?.close()
    }
  }

  async #sendAll(onBatch: (batch: ImportBatch) => void): Promise<void> {
    const { inputs, format, choices, endpoint, key, signal, stateDir, notices } = this.#options
    const { files } = this.#start
    const starts = inputs.map((_, index) => {
      const { isDone, position } = files[index] ?? { isDone: false, position: startOfText }
      return isDone ? 'done' : position
    })
    const batches = importBatches({
      inputs,
      format,
      choices: { ...choices, visitorKey: () => readVisitorKey(stateDir) },
      onFormat: accountOnce(notices),
      starts,
      signal,
    })
    const onAnswer = (answer: Answer) => this.#noticeTrouble(answer)
    try {
      for await (const answered of sendBatches(batches, { endpoint, key, signal, inFlight, patienceMs, onAnswer })) {
        const { batch } = answered
        const rejects = this.tally.add(answered)
        await this.#rejects?.write(rejects, inputs)
        const identity = inputs[batch.input]?.file
        if (identity !== undefined) files[batch.input] = { identity, position: batch.end, isDone: batch.isLast }
        if (performance.now() - this.#savedAtMs > saveEveryMs) await this.#save()
        onBatch(batch)
      }
    } finally {
      await this.#save()
    }
  }

  async #save(): Promise<void> {
    const { files, tally } = this.#start
    const rejects = this.#rejects && { path: resolve(this.#rejects.path), bytes: this.#rejects.bytes }
    try {
      const savedAt = new Date().toISOString()
      await this.#checkpoint?.write({ version: checkpointVersion, savedAt, files, tally: tally.state(), rejects })
    } catch (error) {
      const { message } = error as Error
      this.#options.notices.line(`If this import is interrupted, it will start over: ${message}`)
      this.#checkpoint = undefined
    }
    this.#savedAtMs = performance.now()
  }

  async #openRejects(): Promise<RejectsFile | undefined> {
    const { rejectsPath, inputs, notices } = this.#options
    if (rejectsPath === undefined) return undefined
    const before = this.#start.rejects
    const isThere =
      before !== undefined && before.path === resolve(rejectsPath) && (await RejectsFile.has(before.path, before.bytes))
    if (!isThere && this.tally.rejected > 0) {
      notices.line(`${rejectsPath} receives lines rejected from now on; it does not contain lines rejected earlier.`)
    }
    return await RejectsFile.open(rejectsPath, inputs, isThere ? before.bytes : 0)
  }

  #noticeTrouble(answer: Answer): void {
    const nowMs = performance.now()
    const isFine = answer.status === 202 || answer.status === 422
    if (isFine || nowMs - this.#noticedAtMs < noticeEveryMs) return
    this.#noticedAtMs = nowMs
    this.#options.notices.line(labelled('Waiting', `sent again: ${describeAnswer(answer)}`))
  }
}

/** Says, once for each counter, what its export brings and lacks. */
function accountOnce(notices: Output): (format: ImportFormat) => void {
  const told = new Set<ImportFormat>()
  return (format) => {
    if (told.has(format)) return
    told.add(format)
    for (const line of accountOf(format)) notices.line(line)
  }
}
