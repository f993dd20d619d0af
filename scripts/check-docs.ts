import { findProblems } from './docs/checks.ts'

/** Says what is wrong with the documents, and with what no other tool looks at; ends with 1 if anything is. */
const problems = await findProblems()
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0
