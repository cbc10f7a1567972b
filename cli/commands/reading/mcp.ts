import { parseKey } from '@clicktally/keys/key-text.ts'
import type { Command } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { usageError } from '../../cli-error.ts'
import { addAccessOptions, findHttpAccess, type GivenAccess } from '../../system/http-access.ts'

const help = `
Needs a read key, which reads the counts of one project: a model that is misled can do no more. Make one with
  clicktally keys create --role read --label assistant
and give it as CLICKTALLY_KEY or with --key-file. docs/reading.md shows how to set up a client.`

export function registerMcp(program: Command, context: CliContext): void {
  addAccessOptions(program.command('mcp'))
    .description('answers the questions of an AI assistant (Model Context Protocol) on standard input and output')
    .addHelpText('after', help)
    .action(async (given: GivenAccess) => {
      const access = await findHttpAccess(context, given)
      if (parseKey(access.key)?.role !== 'read') {
        throw usageError('mcp takes a read key only: set CLICKTALLY_KEY to one ("clicktally keys create --role read").')
      }
      // The protocol's library takes a fifth of a second to load, which no other command needs.
      const { serveMcp } = await import('../../mcp/mcp-server.ts')
      await serveMcp(new HttpApi(access), context.takeInterruption())
    })
}
