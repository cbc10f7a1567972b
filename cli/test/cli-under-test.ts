import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Click } from '@clicktally/event/click.ts'
import { clicksMessageType, encodeClick } from '@clicktally/message/clicks-message.ts'
import { type Bench, createBench } from '@clicktally/processor/test/processor-under-test.ts'
import { inject, onTestFinished } from 'vitest'
import { readConfig } from '../config.ts'
import { runProgram } from '../program.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface StartedCli {
  readonly process: ChildProcess
  readonly ended: Promise<Ended & { signal: NodeJS.Signals | null }>
}

/** A letter as the processors write it. Omitted fields get defaults. */
export interface LetterRow {
  readonly reason?: string
  readonly detail?: string
  readonly type?: string | null
  readonly content?: string | Buffer
  readonly clicks?: number
  readonly clickIds?: readonly string[]
  readonly diedAt?: Date
}

export interface CliBench extends Bench {
  /** The environment of the command line. */
  readonly variables: Record<string, string | undefined>
  /** Runs the command line without a terminal. */
  run(...args: string[]): Promise<Ended>
  /** Starts it in its own process. */
  start(...args: string[]): StartedCli
  /** Returns the objects that a command prints with --json. */
  json<Row>(...args: string[]): Promise<Row[]>
  /** Inserts letters as processors do, and returns their ids. */
  bury(...letters: LetterRow[]): Promise<number[]>
  /** Makes a letter with one click that the database rejected. */
  buryClicks(...clicks: Click[]): Promise<number[]>
}

const main = join(import.meta.dirname, '..', 'main.ts')

/** The command line, with variables that point to the test's own broker and database. */
export async function createCliBench(): Promise<CliBench> {
  const bench = await createBench()
  const variables = {
    PATH: process.env.PATH,
    CLICKTALLY_DATABASE_URL: bench.database.operatorUrl,
    CLICKTALLY_BROKER_URL: bench.broker.url,
    CLICKTALLY_MANAGEMENT_URL: inject('servers').managementUrl,
  }
  const start = (...args: string[]) => startCli(args, variables)
  const run = (...args: string[]) => runCli(args, variables)
  let sequence = 0
  const bury = async (...letters: LetterRow[]) => {
    const ids: number[] = []
    for (const letter of letters) {
      sequence += 1
      const [row] = await bench.ask<{ id: number }>(
        `insert into dead_letters (producer, sequence, reason, detail, type, content, clicks, click_ids, request_id, died_at)
         values ('11111111-1111-4111-8111-111111111111', $1, $2, $3, $4, $5, $6, $7, 'request-1', $8) returning id`,
        [
          sequence,
          letter.reason ?? 'refused_by_database',
          letter.detail ?? 'the database did not like it',
          letter.type === undefined ? clicksMessageType : letter.type,
          Buffer.from(letter.content ?? 'no clicks'),
          letter.clicks ?? 1,
          letter.clickIds ?? [],
          letter.diedAt ?? new Date(),
        ],
      )
      if (row !== undefined) ids.push(row.id)
    }
    return ids
  }
  return {
    ...bench,
    variables,
    start,
    run,
    json: async (...args) => {
      const { stdout } = await run(...args, '--json')
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
    },
    bury,
    buryClicks: (...clicks) => bury(...clicks.map((click) => ({ content: encodeClick(click), clickIds: [click.id] }))),
  }
}

/** Runs the command line in this process, like main.ts, with only these variables. */
export async function runCli(args: readonly string[], variables: Record<string, string | undefined>): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  const code = await runProgram({
    config: readConfig(variables),
    args,
    print: (line) => {
      stdout += `${line}\n`
    },
    printed: async () => {},
    notices: {
      line: (text) => {
        stderr += `${text}\n`
      },
    },
    ask: undefined,
    takeInterruption: () => new AbortController().signal,
    exitCode: 0,
  })
  return { code, stdout, stderr }
}

/** Starts the command line with only these variables. */
export function startCli(args: readonly string[], variables: Record<string, string | undefined>): StartedCli {
  const child = spawn(process.execPath, [main, ...args], { env: variables, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Awaited<StartedCli['ended']>>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { process: child, ended }
}
