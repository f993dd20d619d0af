import { findToolchainProgram } from '../toolchain/powers/toolchain.ts'
import type { Compiler } from './compile-entry.ts'

/** TypeScript on QuickJS, by the toolchain's own program. */
export const typeScriptCompiler: Compiler = async (powers, { folder, source, output }) => ({
  command: powers.nodePath,
  args: [findToolchainProgram(), `${folder}/${source}`, output]
})
