import { join } from 'node:path'
import { checkOwn, installOwnDependencies, runNode } from './own-dependencies.ts'

// npm run aws -- <command>: infra/aws, which has dependencies of its own. They are installed at the first use, so that nothing else waits
// for them.
const folder = join(import.meta.dirname, '../infra/aws')

const usage = `npm run aws -- <command>
  check            types and tests, without an AWS account
  costs            the tables of docs/aws.md
  synth, diff, deploy, destroy, bootstrap …
                   the CDK's own, with the settings of docs/aws.md as -c name=value`

const [command, ...args] = process.argv.slice(2)
if (command === undefined) {
  console.error(usage)
  process.exit(2)
}
installOwnDependencies(folder)
if (command === 'check') checkOwn(folder)
else if (command === 'costs') {
  runNode(folder, ['--input-type=module', '--eval', `console.log((await import('./costs.ts')).costTables())`])
} else {
  runNode(folder, [join(folder, 'node_modules/aws-cdk/bin/cdk'), command, ...args])
}
