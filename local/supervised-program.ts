import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fchownSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLog, readLogFrom, sizeOf, trimLog } from './log-file.ts'
import { Problem } from './problem.ts'
import { identify, killRestOfGroup, type ProcessIdentity, sendSignal } from './process-identity.ts'
import { lastLines } from './run-command.ts'

/** What is to run: a server or service, and how one knows that it is ready and gets it to stop. */
export interface Program {
  /** As it is called in lifecycle lines, in the register of processes and in the log file's name. */
  name: string
  command: string
  args: string[]
  env: NodeJS.ProcessEnv
  cwd: string
  /** Both output streams go here. */
  logPath: string
  /** The log's owner, for a program that opens its stdout anew by path after it has become another user. */
  logOwner?: { uid: number; gid: number }
  stopSignal: NodeJS.Signals
  /** After this time the stop signal is followed by SIGKILL. */
  stopWithinMs: number
  /** A first start that takes longer has failed. */
  readyWithinMs: number
  /** The longest wait before it is started again while it keeps dying; 5 s unless told otherwise. */
  longestWaitMs?: number
  /** Asked every 50 ms while the program starts. Throws a Problem when waiting longer is of no use. */
  isReady(): Promise<boolean>
  /**
   * Done before each start, restarts included: removes what a crash may have left in the way. Throws when the program cannot
   * start at present; a restart is then tried again later.
   */
  beforeStart?(): void
  /** What is watched from each start to its end. */
  watches?: readonly Watch[]
}

/** Something without which a running program must not go on. */
export interface Watch {
  readonly everyMs: number
  /** Why the program is to be killed, and started again; undefined while it may go on. Rejects where that is not known. */
  whyUnfit(): Promise<string | undefined>
}

export interface Supervision {
  onLine(line: string): void
  /** Told of each process at once, so that the next launcher finds it if this one is killed. */
  onSpawn?(program: Program, identity: ProcessIdentity): void
  onGone?(program: Program, identity: ProcessIdentity): void
}

type State = 'idle' | 'starting' | 'running' | 'waiting' | 'stopping' | 'stopped'

const firstWaitMs = 200
const longestWaitMs = 5_000
/** Who lived so long did not "keep dying": the next wait is the shortest again. As with compose. */
const provenAfterMs = 10_000
const trimLogEveryMs = 10_000
const stopEarlyWithinMs = 3_000

/**
 * One program that is kept running until it is stopped.
 *
 *     idle --start--> starting --ready--> running --dies--> waiting --back-off over--> starting …
 *                        |                                     |
 *                        +--dies or is too slow the first time--+--stop, from any state--> stopping --> stopped --start--> …
 *
 * A program that dies is started again after 0.2 s, doubling to 5 s while it keeps dying. One that a watch finds unfit is
 * killed, and is then a program that died. Only the first start can fail: then the program is stopped and `start` rejects with the end of its log. It runs in a process group of its
 * own, so that Ctrl-C at the terminal reaches the launcher alone, which stops things in order.
 */
export class SupervisedProgram {
  readonly program: Program
  restarts = 0
  #supervision: Supervision
  #state: State = 'idle'
  #child: ChildProcess | undefined
  #identity: ProcessIdentity | undefined
  #gone: Promise<void> = Promise.resolve()
  #firstDeath: string | undefined
  /** What a watch has killed it for. */
  #unfit: string | undefined
  /** Why it could not be started when that was last tried. */
  #hindrance: string | undefined
  #spawnedAt = 0
  #logStart = 0
  #nextWaitMs = firstWaitMs
  #waitTimer: NodeJS.Timeout | undefined
  #trimTimer: NodeJS.Timeout | undefined

  constructor(program: Program, supervision: Supervision) {
    this.program = program
    this.#supervision = supervision
  }

  get name(): string {
    return this.program.name
  }

  /** The number of the running process, undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  get state(): State {
    return this.#state
  }

  /**
   * Starts the program, also one that was stopped, and waits until it is ready.
   * @throws Problem when it dies before, or isn't ready in its time; it is stopped then.
   */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'idle' && this.#state !== 'stopped') throw new Error(`${this.name} was started before`)
    this.#firstDeath = undefined
    this.restarts = 0
    this.#spawn()
    this.#trimTimer = setInterval(() => trimLog(this.program.logPath), trimLogEveryMs).unref()
    let failure: string | undefined
    try {
      failure = await this.#waitUntilReady(this.program.readyWithinMs, signal)
    } catch (error) {
      await this.stop()
      throw error
    }
    if (failure === undefined) return
    const log = readLogFrom(this.program.logPath, this.#logStart)
    await this.stop()
    signal?.throwIfAborted()
    throw new Problem(`${this.name} ${failure}. The end of ${this.program.logPath}:\n${lastLines(log)}`)
  }

  /** Resolves when the program, started again by itself or not, runs and is ready; false when not in that time. */
  async ready(withinMs: number): Promise<boolean> {
    const deadline = Date.now() + withinMs
    while (Date.now() < deadline) {
      if (this.#state === 'running' && (await this.#isReady())) return true
      await sleep(50)
    }
    return false
  }

  /** Sends the program a signal; false when it isn't running. SIGKILL is how tests let it crash. */
  signal(signal: NodeJS.Signals): boolean {
    if (!this.#identity) return false
    sendSignal(this.#identity, signal)
    return true
  }

  /** Stops the program and waits until it is gone, at most its `stopWithinMs` and then by SIGKILL. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return
    // Who is not up yet may miss the signal (RabbitMQ does, while it boots), and has no client to be kind to.
    const withinMs = this.#state === 'starting' ? stopEarlyWithinMs : this.program.stopWithinMs
    this.#state = 'stopping'
    clearTimeout(this.#waitTimer)
    clearInterval(this.#trimTimer)
    this.signal(this.program.stopSignal)
    const stoppedInTime = await Promise.race([this.#gone.then(() => true), sleep(withinMs, false, { ref: false })])
    if (!stoppedInTime) {
      this.#supervision.onLine(`${this.name} did not stop in ${withinMs / 1_000} s and is killed`)
      this.kill()
      await this.#gone
    }
    this.#state = 'stopped'
  }

  /** Ends the process at once, without asking; `stop` must still be called (or the program starts again). */
  kill(): void {
    this.signal('SIGKILL')
  }

  #spawn(): void {
    const { program } = this
    this.#spawnedAt = Date.now()
    program.beforeStart?.()
    this.#state = 'starting'
    const log = openLog(program.logPath)
    this.#logStart = sizeOf(program.logPath)
    try {
      if (program.logOwner) fchownSync(log, program.logOwner.uid, program.logOwner.gid)
      const child = spawn(program.command, program.args, {
        cwd: program.cwd,
        env: program.env,
        stdio: ['ignore', log, log],
        detached: true,
      })
      this.#child = child
      this.#identity = child.pid === undefined ? undefined : identify(child.pid)
      if (this.#identity) this.#supervision.onSpawn?.(program, this.#identity)
      this.#gone = new Promise((resolve) => {
        child.once('error', (error) => this.#died(`could not be started (${error.message})`, resolve))
        child.once('exit', (code, signal) => {
          const how = this.#unfit === undefined ? `by ${signal}` : `because ${this.#unfit}`
          this.#died(signal ? `was killed ${how}` : `ended with code ${code}`, resolve)
        })
      })
      this.#unfit = undefined
      for (const watch of program.watches ?? []) void this.#keepWatch(watch, child)
    } finally {
      closeSync(log)
    }
  }

  async #keepWatch({ everyMs, whyUnfit }: Watch, child: ChildProcess): Promise<void> {
    const isOurs = () => this.#child === child && (this.#state === 'starting' || this.#state === 'running')
    while (isOurs()) {
      const reason = await whyUnfit().catch(() => undefined)
      if (reason !== undefined && isOurs()) {
        this.#unfit = reason
        this.kill()
        return
      }
      await sleep(everyMs, undefined, { ref: false })
    }
  }

  #died(how: string, resolve: () => void): void {
    if (this.#identity) {
      killRestOfGroup(this.#identity)
      this.#supervision.onGone?.(this.program, this.#identity)
    }
    this.#child = undefined
    this.#identity = undefined
    const failedFirstStart = this.#state === 'starting' && this.restarts === 0
    if (this.#state !== 'stopping' && this.#state !== 'stopped' && !failedFirstStart) this.#startAgainLater(how)
    if (failedFirstStart) this.#firstDeath = how
    resolve()
  }

  #startAgainLater(how: string, isNews = true): void {
    if (Date.now() - this.#spawnedAt > provenAfterMs) this.#nextWaitMs = firstWaitMs
    const waitMs = this.#nextWaitMs
    this.#nextWaitMs = Math.min(waitMs * 2, this.program.longestWaitMs ?? longestWaitMs)
    this.#state = 'waiting'
    this.restarts++
    if (isNews) this.#supervision.onLine(`${this.name} ${how}; it is started again in ${waitMs / 1_000} s`)
    this.#waitTimer = setTimeout(() => this.#startAgain(), waitMs)
  }

  #startAgain(): void {
    try {
      this.#spawn()
    } catch (error) {
      // For one, a disk so full that not even the log opens. It may have room again later, and is not asked aloud each time.
      const hindrance = `could not be started: ${error instanceof Error ? error.message : error}`
      const isNews = hindrance !== this.#hindrance
      this.#hindrance = hindrance
      this.#startAgainLater(hindrance, isNews)
      return
    }
    this.#hindrance = undefined
    void this.#waitUntilReady(Number.POSITIVE_INFINITY).then((failure) => {
      if (failure === undefined) this.#supervision.onLine(`${this.name} is ready again`)
    })
  }

  async #isReady(): Promise<boolean> {
    try {
      return await this.program.isReady()
    } catch (error) {
      if (error instanceof Problem && this.restarts === 0) throw error
      return false
    }
  }

  /** Resolves with what went wrong, or with undefined when the program is ready. */
  async #waitUntilReady(withinMs: number, signal?: AbortSignal): Promise<string | undefined> {
    const child = this.#child
    const deadline = Date.now() + withinMs
    while (Date.now() < deadline) {
      if (signal?.aborted) return 'was stopped while it started'
      if (this.#firstDeath !== undefined) return `${this.#firstDeath} before it was ready`
      if (this.#child !== child || this.#state !== 'starting') return 'is not running any more'
      if (await this.#isReady()) {
        if (this.#child !== child || this.#state !== 'starting') continue
        this.#state = 'running'
        return undefined
      }
      await sleep(50)
    }
    return `was not ready after ${withinMs / 1_000} s`
  }
}
