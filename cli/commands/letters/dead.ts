import type { Command } from 'commander'
import type { CliContext } from '../../cli-context.ts'
import { registerDeadDiscard } from './dead-discard.ts'
import { registerDeadList } from './dead-list.ts'
import { registerDeadReplay } from './dead-replay.ts'
import { registerDeadShow } from './dead-show.ts'

export function registerDead(program: Command, context: CliContext): void {
  const dead = program.command('dead').description('shows, replays and discards clicks that could not be counted')
  registerDeadList(dead, context)
  registerDeadShow(dead, context)
  registerDeadReplay(dead, context)
  registerDeadDiscard(dead, context)
}
