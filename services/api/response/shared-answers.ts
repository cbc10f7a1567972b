interface Turn<Answer> {
  readonly answer: Promise<Answer>
  /** The turn after it, for all who asked while this one runs. */
  next?: Promise<Answer>
}

/**
 * Lets identical questions share an answer. Those that arrive while one is being answered wait for the next answer, which begins
 * afterwards: whoever asks gets what was true at that time or later, as if alone. So at most one runs at a time.
 */
export class SharedAnswers<Answer> {
  readonly #turns = new Map<string, Turn<Answer>>()

  /**
   * @param question the same text for the same question
   * @param find may be called for this and other requests together, after all of them
   * @throws what `find` throws
   */
  answer(question: string, find: () => Promise<Answer>): Promise<Answer> {
    const turn = this.#turns.get(question)
    if (turn === undefined) return this.#begin(question, find)
    turn.next ??= turn.answer.then(ignore, ignore).then(() => this.#begin(question, find))
    return turn.next
  }

  #begin(question: string, find: () => Promise<Answer>): Promise<Answer> {
    const turn: Turn<Answer> = { answer: find() }
    this.#turns.set(question, turn)
    const end = () => {
      if (turn.next === undefined) this.#turns.delete(question)
    }
    turn.answer.then(end, end)
    return turn.answer
  }
}

function ignore(): void {}
