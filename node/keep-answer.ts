import type { Authority } from '#capsule-host'
import type { GrantAnswer, GrantQuestion } from '#providers'

/** Keeps an answer to a question nobody waits for any more, so that the capsule finds it when it asks again. */
export async function keepAnswer(
  authority: Pick<Authority, 'grant' | 'remember'>,
  { capsule, command, resource, reason }: GrantQuestion,
  answer: GrantAnswer
): Promise<void> {
  const { lineage } = capsule
  if (!answer.isAllowed) {
    const { decidedBy } = answer
    await authority.remember({ lineage, command, resource, isAllowed: false, decidedBy })
    return
  }
  const { scope, usesMax, decidedBy } = answer
  await authority.grant({
    ...{ lineage, scope, decidedBy },
    command: answer.command ?? command,
    resource: answer.resource ?? resource,
    ...(usesMax === undefined ? {} : { usesMax }),
    ...(reason === undefined ? {} : { reason })
  })
}
