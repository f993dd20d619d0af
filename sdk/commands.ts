import type {
  CallCommand,
  ContentCommands,
  DidCommands,
  HttpCommands,
  LocalhostCommands,
  PeerCommands,
  StreamCommand
} from '#providers'

type Named<Name extends string, C> = { [Verb in keyof C & string as `${Name}/${Verb}`]: C[Verb] }

/** Every command of the contracts that this SDK knows, by its name. */
export type Commands = Named<'localhost', LocalhostCommands> &
  Named<'did', DidCommands> &
  Named<'peer', PeerCommands> &
  Named<'content', ContentCommands> &
  Named<'http', HttpCommands>

/** Parameters of a command. */
export type CommandParams<C> =
  C extends CallCommand<infer P, infer _R>
    ? P
    : C extends StreamCommand<infer P, infer _I, infer _N>
      ? P
      : never

/** The answer of a command that is answered once. */
export type CommandResult<C> = C extends CallCommand<infer _P, infer R> ? R : never

/** What comes on the stream of a command. */
export type CommandItem<C> = C extends StreamCommand<infer _P, infer I, infer _N> ? I : never

/** What goes on the stream of a command. */
export type CommandInput<C> = C extends StreamCommand<infer _P, infer _I, infer N> ? N : never

/** Names of commands that are answered once. */
export type CallName = {
  [Name in keyof Commands]: Commands[Name] extends { readonly kind: 'call' } ? Name : never
}[keyof Commands]

/** Names of commands that open a stream. */
export type StreamName = Exclude<keyof Commands, CallName>
