import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fchownSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Problem } from '../problem.ts'
import { openLog, readLogFrom, sizeOf, trimLog } from './log-file.ts'
import { identify, killRestOfGroup, type ProcessIdentity, sendSignal } from './process-identity.ts'
import { lastLines } from './run-command.ts'

/** A server or service to run, how to tell that it is ready, and how to stop it. */
export interface Program {
  /** Its name in lifecycle lines, in the register of processes and in the log file's name. */
  name: string
  command: string
  args: string[]
  env: NodeJS.ProcessEnv
  cwd: string
  /** Both output streams go here. */
  logPath: string
  /** The log's owner, for a program that reopens its stdout by path after it has changed its user. */
  logOwner?: { uid: number; gid: number }
  stopSignal: NodeJS.Signals
  /** How long after the stop signal SIGKILL follows. */
  stopWithinMs: number
  /** A first start that takes longer fails. */
  readyWithinMs: number
  /** The longest wait before a restart while it keeps dying. Default: 5,000. */
  longestWaitMs?: number
  /** Called every 50 ms while the program starts. Throws a Problem when waiting longer is pointless. */
  isReady(): Promise<boolean>
  /**
   * Called before each start and restart, to remove what a crash may have left behind. Throws when the program cannot start
   * now; a restart is then tried again later.
   */
  beforeStart?(): void
  /** Run from each start to its end. */
  healthChecks?: readonly HealthCheck[]
}

/** A condition under which a running program must be restarted. */
export interface HealthCheck {
  readonly everyMs: number
  /** Why the program must be killed and restarted; undefined while it is healthy. Rejects when that is not known. */
  failure(): Promise<string | undefined>
}

export interface Supervision {
  onLine(line: string): void
  /** Called for each process at once, so that the next launcher finds it if this one is killed. */
  onSpawn?(program: Program, identity: ProcessIdentity): void
  onGone?(program: Program, identity: ProcessIdentity): void
}

type State = 'idle' | 'starting' | 'running' | 'waiting' | 'stopping' | 'stopped'

const firstWaitMs = 200
const longestWaitMs = 5_000
/** A program that ran for so long counts as stable, and its next wait is the shortest again. As in Docker Compose. */
const stableAfterMs = 10_000
const trimLogEveryMs = 10_000
const stopEarlyWithinMs = 3_000

/**
 * Keeps one program running until it is stopped.
 *
 *     idle --start--> starting --ready--> running --dies--> waiting --back-off over--> starting …
 *                        |                                     |
 *                        +--dies or is too slow the first time--+--stop, from any state--> stopping --> stopped --start--> …
 *
 * A program that dies is started again after 0.2 s, doubling to 5 s while it keeps dying. One that fails a
 * health check is killed, and counts as died. Only the first start can fail: the program is then stopped, and `start` rejects with
 * the end of its log. Each program runs in its own process group, so that Ctrl-C at the terminal reaches only the launcher, which
 * stops everything in order.
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
  /** The failed health check that it was killed for. */
  #failedCheck: string | undefined
  /** Why the last restart could not be made. */
  #startFailure: string | undefined
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

  /** The id of the running process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  get state(): State {
    return this.#state
  }

  /**
   * Starts the program, which may have been stopped before, and waits until it is ready.
   * @throws Problem when it dies before that or is not ready in time; it is stopped then.
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

  /** Resolves when the program runs and is ready, after a restart or not; false if it is not in time. */
  async ready(withinMs: number): Promise<boolean> {
    const deadline = Date.now() + withinMs
    while (Date.now() < deadline) {
      if (this.#state === 'running' && (await this.#isReady())) return true
      await sleep(50)
    }
    return false
  }

  /** Sends the program a signal; false when it is not running. Tests use SIGKILL as a crash. */
  signal(signal: NodeJS.Signals): boolean {
    if (!this.#identity) return false
    sendSignal(this.#identity, signal)
    return true
  }

  /** Stops the program and waits until it is gone. After `stopWithinMs` it is killed. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return
    // A program that is still starting may miss the signal (RabbitMQ does), and has no clients to serve.
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

  /** Kills the process. Without `stop` the program is restarted. */
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
          const how = this.#failedCheck === undefined ? `by ${signal}` : `because ${this.#failedCheck}`
          this.#died(signal ? `was killed ${how}` : `ended with code ${code}`, resolve)
        })
      })
      this.#failedCheck = undefined
      for (const check of program.healthChecks ?? []) void this.#runHealthCheck(check, child)
    } finally {
      closeSync(log)
    }
  }

  async #runHealthCheck({ everyMs, failure }: HealthCheck, child: ChildProcess): Promise<void> {
    const isCurrent = () => this.#child === child && (this.#state === 'starting' || this.#state === 'running')
    while (isCurrent()) {
      const reason = await failure().catch(() => undefined)
      if (reason !== undefined && isCurrent()) {
        this.#failedCheck = reason
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
    if (this.#state !== 'stopping' && this.#state !== 'stopped' && !failedFirstStart) this.#restartLater(how)
    if (failedFirstStart) this.#firstDeath = how
    resolve()
  }

  #restartLater(how: string, isNew = true): void {
    if (Date.now() - this.#spawnedAt > stableAfterMs) this.#nextWaitMs = firstWaitMs
    const waitMs = this.#nextWaitMs
    this.#nextWaitMs = Math.min(waitMs * 2, this.program.longestWaitMs ?? longestWaitMs)
    this.#state = 'waiting'
    this.restarts++
    if (isNew) this.#supervision.onLine(`${this.name} ${how}; it is started again in ${waitMs / 1_000} s`)
    this.#waitTimer = setTimeout(() => this.#restart(), waitMs)
  }

  #restart(): void {
    try {
      this.#spawn()
    } catch (error) {
      // The disk may be so full that not even the log opens. That may pass, and is reported only once.
      const failure = `could not be started: ${error instanceof Error ? error.message : error}`
      const isNew = failure !== this.#startFailure
      this.#startFailure = failure
      this.#restartLater(failure, isNew)
      return
    }
    this.#startFailure = undefined
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
