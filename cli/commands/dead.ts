import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { registerDeadDiscard } from './dead-discard.ts'
import { registerDeadList } from './dead-list.ts'
import { registerDeadReplay } from './dead-replay.ts'
import { registerDeadShow } from './dead-show.ts'

export function registerDead(program: Command, context: CliContext): void {
  const dead = program.command('dead').description('what could not be counted: look at it, send it again, give it up')
  registerDeadList(dead, context)
  registerDeadShow(dead, context)
  registerDeadReplay(dead, context)
  registerDeadDiscard(dead, context)
}
