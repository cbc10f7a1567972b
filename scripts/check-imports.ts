import { join } from 'node:path'
import { importViolations } from './import-rules.ts'

const violations = importViolations(join(import.meta.dirname, '..'))
for (const violation of violations) console.error(violation)
console.log(violations.length === 0 ? 'all imports follow the rules' : `${violations.length} imports break a rule`)
process.exitCode = violations.length === 0 ? 0 : 1
