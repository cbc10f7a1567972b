import { join } from 'node:path'
import { checkOwn, installOwnDependencies } from './own-dependencies.ts'

// npm run kubernetes -- check: renders the chart in infra/kubernetes and checks what comes out. Helm and the schemas are installed at the
// first use.
const folder = join(import.meta.dirname, '../infra/kubernetes')

if (process.argv[2] !== 'check') {
  console.error('npm run kubernetes -- check')
  process.exit(2)
}
installOwnDependencies(folder)
checkOwn(folder)
