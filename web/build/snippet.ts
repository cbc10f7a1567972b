import { join } from 'node:path'

/** The files of the snippet for web pages, each with the source that it is built from. Both contain all code, without imports. */
const formats = [
  { file: 'tally.js', source: 'script.ts', format: 'iife' },
  { file: 'tally.mjs', source: 'module.ts', format: 'es' },
] as const

/** Builds tally.js and tally.mjs into a folder. */
export async function buildSnippet(outDir: string): Promise<void> {
  const { build } = await import('vite')
  for (const { file, source, format } of formats) {
    await build({
      root: join(import.meta.dirname, '../snippet'),
      configFile: false,
      logLevel: 'warn',
      build: {
        outDir,
        emptyOutDir: false,
        // Browsers since 2022.
        target: 'es2022',
        modulePreload: false,
        reportCompressedSize: false,
        rolldownOptions: {
          input: join(import.meta.dirname, '../snippet', source),
          preserveEntrySignatures: 'strict',
          output: { format, entryFileNames: file, minify: true },
        },
      },
    })
  }
}
