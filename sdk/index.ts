export { SYSTEM_SYMBOL } from './globals/system.ts'
