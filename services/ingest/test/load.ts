import { setTimeout as sleep } from 'node:timers/promises'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { type Answer, post } from './ingest-under-test.ts'

/** Sends clicks from concurrent clients, each one after the other, until stop(). */
export function startLoad(app: HttpApp, clients = 32) {
  const accepted = new Set<string>()
  const refused: Answer[] = []
  let isRunning = true
  const running = Array.from({ length: clients }, async () => {
    while (isRunning) {
      const id = randomUuidV7(Date.now())
      const answer = await post(app, '/v1/events', { target: 'load', id })
      if (answer.status === 202) accepted.add(id)
      else {
        refused.push(answer)
        // Immediate retries would leave the publisher no time to connect.
        await sleep(20)
      }
    }
  })
  return {
    accepted,
    refused,
    stop: async () => {
      isRunning = false
      await Promise.all(running)
    },
  }
}
