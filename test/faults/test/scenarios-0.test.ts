import { testScenarios } from './scenario-tests.ts'

await testScenarios(0)
