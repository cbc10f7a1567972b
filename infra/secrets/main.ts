import { writeDefinitions } from './definitions.ts'
import { ensureSecrets } from './secrets.ts'

const args = process.argv.slice(2)
const onlyDefinitions = args[0] === '--definitions'
const [path, ...rest] = onlyDefinitions ? args.slice(1) : args
if (path === undefined || rest.length > 0) {
  console.error('Usage: node main.ts DIR\n       node main.ts --definitions FILE')
  process.exit(2)
}
try {
  if (onlyDefinitions) await writeDefinitions(path, process.env)
  else await ensureSecrets(path)
  console.log(
    `${onlyDefinitions ? 'The broker definitions' : 'Passwords and broker definitions'} are in place in ${path}.`,
  )
} catch (error) {
  console.error(`Could not make the secrets in ${path}: ${error instanceof Error ? error.message : error}`)
  process.exit(1)
}
