import { resolve } from 'node:path'
import { readVisitorKey } from '@clicktally/access-log/visitor-key.ts'
import { type Answer, describeAnswer } from '@clicktally/client/answer.ts'
import { sendBatches } from '@clicktally/client/batch-sender.ts'
import { labelled, type Output } from '@clicktally/terminal/progress.ts'
import { startOfText } from '@clicktally/text-file/line.ts'
import { CheckpointFile, checkpointVersion } from './checkpoint.ts'
import { contact } from './contact.ts'
import { type ImportBatch, importBatches } from './import-batches.ts'
import type { ImportFormat } from './import-format.ts'
import type { ImportInput } from './import-input.ts'
import { withImportProgress } from './import-progress.ts'
import { findStart, type ImportStart } from './import-start.ts'
import type { ImportTally } from './import-tally.ts'
import { RejectsFile } from './rejects-file.ts'

export interface ImportOptions {
  readonly inputs: readonly ImportInput[]
  /** Undefined: each input tells by itself. */
  readonly format: ImportFormat | undefined
  /** Part of each id that is made; see importId. */
  readonly source: string
  /** Where the server takes old clicks. */
  readonly endpoint: URL
  readonly stateDir: string
  /** Does not go on where an import of the same files was interrupted. */
  readonly restart: boolean
  readonly rejectsPath: string | undefined
  readonly notices: Output
  readonly signal: AbortSignal
}

/** Enough to keep two ingests busy while answers travel. */
const inFlight = 8
/** A broker that is repaired, a new version that is installed: an import waits it out. */
const patienceMs = 600_000
/** Killed in between, an import sends so much once more, which changes no count. */
const saveEveryMs = 100
const noticeEveryMs = 5_000

/**
 * Imports files: prepared → sending → ended, which leaves no checkpoint; or interrupted, by a signal or by an error, which
 * leaves one. All that comes before a checkpoint was answered, and the rejects file has what was rejected of it.
 */
export class ImportRun {
  readonly #options: ImportOptions
  readonly #start: ImportStart
  /** Undefined where an import can't be gone on with. */
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
    const { inputs, endpoint, source, format, stateDir, restart, notices } = options
    const paths = inputs.flatMap(({ file }) => file?.path ?? [])
    // What has come through a pipe is gone.
    const canGoOn = paths.length === inputs.length
    const checkpoint = canGoOn
      ? new CheckpointFile(stateDir, { endpoint: endpoint.href, source, format, paths })
      : undefined
    const before = restart ? undefined : await checkpoint?.read()
    return new ImportRun(options, checkpoint, await findStart(before, inputs, notices.line))
  }

  get tally(): ImportTally {
    return this.#start.tally
  }

  /** Whether the same command will go on where this one stopped. */
  get canGoOn(): boolean {
    return this.#checkpoint !== undefined
  }

  /**
   * @throws {CliError} {ClientError} {TextFileError} with a message for the person
   * @throws the signal's reason when the signal is aborted
   */
  async send(): Promise<void> {
    const { endpoint, signal, notices, inputs } = this.#options
    this.#rejects = await this.#openRejects()
    try {
      await contact(endpoint, signal)
      await withImportProgress(notices, inputs, this.tally, (onBatch) => this.#sendAll(onBatch))
      await this.#checkpoint?.remove()
    } finally {
      await this.#rejects?.close()
    }
  }

  async #sendAll(onBatch: (batch: ImportBatch) => void): Promise<void> {
    const { inputs, format, source, endpoint, signal, stateDir } = this.#options
    const { files } = this.#start
    const starts = inputs.map((_, index) => {
      const { isDone, position } = files[index] ?? { isDone: false, position: startOfText }
      return isDone ? 'done' : position
    })
    const batches = importBatches({
      inputs,
      format,
      source,
      visitorKey: () => readVisitorKey(stateDir),
      starts,
      signal,
    })
    const onAnswer = (answer: Answer) => this.#noticeTrouble(answer)
    try {
      for await (const answered of sendBatches(batches, { endpoint, signal, inFlight, patienceMs, onAnswer })) {
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
      this.#options.notices.line(`If it is interrupted, this import will have to start over: ${message}`)
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
      notices.line(`${rejectsPath} gets what is rejected from here on; what was rejected before is not in it.`)
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
