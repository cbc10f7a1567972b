import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { App, type AppProps, Validations } from 'aws-cdk-lib/core'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ClicktallyStack } from './clicktally-stack.ts'
import { acknowledgeFindings } from './findings.ts'
import { readSettings } from './settings.ts'
import { SingleServerStack } from './single-server-stack.ts'

/** Of the pipeline's own synth. */
const settingNames = [
  'size',
  'domain',
  'certificate',
  'edge-certificate',
  'broker',
  'alarm-email',
  'connection',
  'repository',
  'branch',
]

/** Makes the app with one stack: the context `stack` is `Clicktally` (default) or `ClicktallySingleServer`. */
export function createApp({ context, ...props }: AppProps = {}): App {
  // The CDK's command line passes the context of cdk.json on; tests have none.
  const { context: flags } = JSON.parse(readFileSync(join(import.meta.dirname, 'cdk.json'), 'utf8'))
  const app = new App({ ...props, context: { ...flags, ...context } })
  const { node } = app
  const text = (name: string, fallback: string) => String(node.tryGetContext(name) ?? fallback)
  if (text('stack', 'Clicktally') === 'Clicktally') {
    const given = settingNames.map((name) => [name, node.tryGetContext(name)]).filter(([, value]) => value)
    new ClicktallyStack(app, 'Clicktally', { settings: readSettings(node), context: Object.fromEntries(given) })
  } else {
    new SingleServerStack(app, 'ClicktallySingleServer', {
      domain: text('domain', 'counts.example.org'),
      instanceType: text('instance-type', 't4g.medium'),
      repository: text('repository', 'https://github.com/clicktally/clicktally.git'),
      version: text('version', 'main'),
    })
  }
  acknowledgeFindings(app)
  Validations.of(app).addPlugins(new AwsSolutionsChecks())
  return app
}
