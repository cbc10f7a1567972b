import { ensureSecrets } from './secrets.ts'

const [dir, ...rest] = process.argv.slice(2)
if (dir === undefined || rest.length > 0) {
  console.error('Usage: node main.ts DIR')
  process.exit(2)
}
try {
  await ensureSecrets(dir)
  console.log(`Passwords and broker definitions are in place in ${dir}.`)
} catch (error) {
  console.error(`Could not make the secrets in ${dir}: ${error instanceof Error ? error.message : error}`)
  process.exit(1)
}
