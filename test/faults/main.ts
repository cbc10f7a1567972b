import { join } from 'node:path'
import { FaultSystem } from './fault-system.ts'
import { runProgram } from './suite-program.ts'

await runProgram({
  command: 'npm run test:faults',
  description:
    'Injects faults into a system under load and verifies that every click answered with 202 is counted exactly once. ' +
    'Takes about 35 minutes.',
  scenarios: join(import.meta.dirname, 'scenarios'),
  documentPath: 'docs/faults.md',
  heading: 'Faults',
  introduction: `What happens to clicks when something fails. The fault suite generates this page: \`npm run test:faults\`. It starts the whole
system (two ingests, three processors, an api, nginx, RabbitMQ, PostgreSQL), sends clicks, and injects real faults. After each
fault it waits until the system has settled, and looks up every id that it sent in the database.`,
  start: (options) => FaultSystem.start(options),
})
