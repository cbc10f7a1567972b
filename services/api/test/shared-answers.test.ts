import { describe, expect, test } from 'vitest'
import { SharedAnswers } from '../response/shared-answers.ts'

/** Answers with the number of the call, when it is told to. */
class Questions {
  readonly shared = new SharedAnswers<number>()
  readonly begun: PromiseWithResolvers<number>[] = []

  ask(question = 'same'): Promise<number> {
    return this.shared.answer(question, () => {
      const each = Promise.withResolvers<number>()
      this.begun.push(each)
      return each.promise
    })
  }

  /** Ends the last one that began. */
  async end(error?: Error): Promise<void> {
    const last = this.begun.at(-1)
    if (error === undefined) last?.resolve(this.begun.length)
    else last?.reject(error)
    await new Promise(setImmediate)
  }
}

describe('identical questions', () => {
  test('that arrive while one is answered share the next answer, which begins after it', async () => {
    const questions = new Questions()
    const first = questions.ask()
    const later = [questions.ask(), questions.ask(), questions.ask()]
    expect(questions.begun.length).toBe(1)
    await questions.end()
    expect(questions.begun.length).toBe(2)
    const last = questions.ask()
    await questions.end()
    expect(questions.begun.length).toBe(3)
    await questions.end()
    expect(await Promise.all([first, ...later, last])).toEqual([1, 2, 2, 2, 3])
  })

  test('that arrive when none is being answered are asked at once', async () => {
    const questions = new Questions()
    const first = questions.ask()
    await questions.end()
    const second = questions.ask()
    expect(questions.begun.length).toBe(2)
    await questions.end()
    expect(await Promise.all([first, second])).toEqual([1, 2])
  })

  test('share nothing with others', async () => {
    const questions = new Questions()
    const answers = [questions.ask('one'), questions.ask('other')]
    expect(questions.begun.length).toBe(2)
    for (const [at, each] of questions.begun.entries()) each.resolve(at)
    expect(await Promise.all(answers)).toEqual([0, 1])
  })

  test('an error reaches those who shared it, and nobody later', async () => {
    const questions = new Questions()
    const first = questions.ask()
    const second = [questions.ask(), questions.ask()]
    const failed = Promise.allSettled([first, ...second])
    await questions.end(new Error('first'))
    const third = questions.ask()
    await questions.end(new Error('second'))
    await questions.end()
    expect((await failed).map((each) => each.status === 'rejected' && each.reason.message)).toEqual([
      'first',
      'second',
      'second',
    ])
    expect(await third).toBe(3)
  })
})
